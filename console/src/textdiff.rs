//! What changed between two texts, line by line: the shortest edit script (Myers 1986) after what both begin and end with
//! was taken away, and no more work than a page is worth.

/// Edits after which two texts count as different altogether.
const EDITS_MAX: usize = 1000;
/// Lines of a text.
pub const LINES_MAX: usize = 20_000;
/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineSign {
    Same,
    Removed,
    Added,
    /// Lines that are the same are left out here.
    Gap,
}

/// A line of the comparison, with its number in the old and in the new text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'t> {
    pub sign: LineSign,
    pub old: Option<usize>,
    pub new: Option<usize>,
    pub text: &'t str,
}

/// The lines that differ, with those around them; `None` if they differ too much.
pub fn diff<'t>(old: &'t str, new: &'t str) -> Option<Vec<Line<'t>>> {
    let (a, b): (Vec<&str>, Vec<&str>) = (lines(old), lines(new));
    if a.len() > LINES_MAX || b.len() > LINES_MAX {
        return None;
    }
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (rest_a, rest_b) = (a.get(start..)?, b.get(start..)?);
    let end = rest_a
        .iter()
        .rev()
        .zip(rest_b.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let middle_a = rest_a.get(..rest_a.len() - end)?;
    let middle_b = rest_b.get(..rest_b.len() - end)?;
    let mut signs = vec![LineSign::Same; start];
    signs.extend(script(middle_a, middle_b)?);
    signs.resize(signs.len() + end, LineSign::Same);
    Some(with_context(&numbered(&signs, &a, &b)))
}

/// Without the ends of lines: that these are other ones is not shown.
fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Same, removed and added in the order of a diff.
fn script(a: &[&str], b: &[&str]) -> Option<Vec<LineSign>> {
    let (n, m) = (a.len(), b.len());
    let most = (n + m).min(EDITS_MAX);
    // How far each diagonal reaches, for each number of edits; a diagonal k has its place at k + offset.
    let offset = most + 1;
    let mut reach = vec![0usize; 2 * offset + 1];
    let mut trace: Vec<Vec<usize>> = Vec::new();
    for edits in 0..=most {
        let from = offset - edits;
        trace.push(reach.get(from - 1..=offset + edits + 1)?.to_vec());
        for place in (from..=offset + edits).step_by(2) {
            let (below, above) = (*reach.get(place - 1)?, *reach.get(place + 1)?);
            let goes_down = place == from || (place != offset + edits && below < above);
            let mut x = if goes_down { above } else { below + 1 };
            let mut y = (x + offset).checked_sub(place)?;
            while let (Some(left), Some(right)) = (a.get(x), b.get(y))
                && left == right
            {
                (x, y) = (x + 1, y + 1);
            }
            *reach.get_mut(place)? = x;
            if x >= n && y >= m {
                return Some(walk_back(&trace, offset, (n, m), edits));
            }
        }
    }
    None
}

fn walk_back(trace: &[Vec<usize>], offset: usize, (n, m): (usize, usize), edits: usize) -> Vec<LineSign> {
    let (mut x, mut y) = (n, m);
    let mut signs = Vec::new();
    for edit in (0..=edits).rev() {
        let place = x + offset - y;
        let from = offset - edit;
        // What was reached before this edit; its first place is `from - 1`.
        let at = |place: usize| -> usize {
            let row = trace.get(edit);
            row.and_then(|row| row.get(place + 1 - from))
                .copied()
                .unwrap_or_default()
        };
        let goes_down = place == from || (place != offset + edit && at(place - 1) < at(place + 1));
        let before = if goes_down { place + 1 } else { place - 1 };
        let (back_x, back_y) = match edit {
            0 => (0, 0),
            _ => (at(before), (at(before) + offset).saturating_sub(before)),
        };
        let (edit_x, edit_y) = match (edit, goes_down) {
            (0, _) => (0, 0),
            (_, true) => (back_x, back_y + 1),
            (_, false) => (back_x + 1, back_y),
        };
        while x > edit_x && y > edit_y {
            signs.push(LineSign::Same);
            (x, y) = (x - 1, y - 1);
        }
        if edit > 0 {
            signs.push(if goes_down {
                LineSign::Added
            } else {
                LineSign::Removed
            });
        }
        (x, y) = (back_x, back_y);
    }
    signs.reverse();
    signs
}

fn numbered<'t>(signs: &[LineSign], a: &[&'t str], b: &[&'t str]) -> Vec<Line<'t>> {
    let (mut x, mut y) = (0, 0);
    let lines = signs.iter().map(|sign| {
        let (old, new) = match sign {
            LineSign::Added => (None, Some(y)),
            LineSign::Removed => (Some(x), None),
            LineSign::Same | LineSign::Gap => (Some(x), Some(y)),
        };
        x += usize::from(old.is_some());
        y += usize::from(new.is_some());
        let text = match (old, new) {
            (_, Some(new)) => b.get(new),
            (Some(old), None) => a.get(old),
            (None, None) => None,
        };
        Line {
            sign: *sign,
            old: old.map(|nr| nr + 1),
            new: new.map(|nr| nr + 1),
            text: text.copied().unwrap_or_default(),
        }
    });
    lines.collect()
}

fn with_context<'t>(all: &[Line<'t>]) -> Vec<Line<'t>> {
    let mut is_near = vec![false; all.len()];
    for (at, line) in all.iter().enumerate() {
        if line.sign != LineSign::Same {
            let around = at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(all.len());
            is_near
                .get_mut(around)
                .into_iter()
                .flatten()
                .for_each(|near| *near = true);
        }
    }
    let mut shown: Vec<Line<'t>> = Vec::new();
    for (line, near) in all.iter().zip(is_near) {
        match (near, shown.last()) {
            (true, _) => shown.push(*line),
            (false, Some(last)) if last.sign == LineSign::Gap => {}
            (false, _) => shown.push(Line {
                sign: LineSign::Gap,
                old: None,
                new: None,
                text: "",
            }),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `diff` prints it.
    fn shown(old: &str, new: &str) -> String {
        let lines = diff(old, new).unwrap();
        let lines = lines.iter().map(|line| match line.sign {
            LineSign::Same => format!(" {}", line.text),
            LineSign::Removed => format!("-{}", line.text),
            LineSign::Added => format!("+{}", line.text),
            LineSign::Gap => "…".to_string(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_changed() {
        assert_eq!(shown("a\nb\nc\n", "a\nx\nc\n"), " a\n-b\n+x\n c");
        assert_eq!(shown("", "a\nb"), "+a\n+b");
        assert_eq!(shown("a\nb", ""), "-a\n-b");
        assert_eq!(shown("a\n", "a\r\n"), "…");
        assert_eq!(shown("", ""), "");
        let many: String = (0..20).map(|nr| format!("{nr}\n")).collect();
        let changed = many.replace("10\n", "ten\n").replace("0\n1\n", "1\n");
        assert_eq!(
            shown(&many, &changed),
            "-0\n 1\n 2\n 3\n…\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n…"
        );
        assert_eq!(
            shown("a\nb\nc\na\nb\nb\na", "c\nb\na\nb\na\nc")
                .matches('\n')
                .count(),
            8
        );
    }

    #[test]
    fn numbers_of_lines() {
        let lines = diff("a\nb\n", "b\nc\n").unwrap();
        let numbers: Vec<_> = lines.iter().map(|line| (line.sign, line.old, line.new)).collect();
        assert_eq!(
            numbers,
            [
                (LineSign::Removed, Some(1), None),
                (LineSign::Same, Some(2), Some(1)),
                (LineSign::Added, None, Some(2)),
            ]
        );
    }

    /// From the script, both texts can be made again, whatever they are; and no shorter one is known.
    #[test]
    fn every_line_is_there() {
        let mut state = 7u32;
        let mut next = |most: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % most
        };
        for _ in 0..300 {
            let mut text = || -> String { (0..next(12)).map(|_| format!("{}\n", next(3))).collect() };
            let (old, new) = (text(), text());
            let (a, b) = (lines(&old), lines(&new));
            let signs = script(&a, &b).unwrap();
            let all = numbered(&signs, &a, &b);
            let of = |wanted: LineSign| {
                let lines = all
                    .iter()
                    .filter(|line| line.sign == wanted || line.sign == LineSign::Same);
                lines.map(|line| line.text).collect::<Vec<_>>()
            };
            assert_eq!(
                (of(LineSign::Removed), of(LineSign::Added)),
                (a.clone(), b.clone())
            );
            let edits = signs.iter().filter(|sign| **sign != LineSign::Same).count();
            assert_eq!(edits, a.len() + b.len() - 2 * common(&a, &b));
        }
    }

    /// The length of the longest common subsequence.
    fn common(a: &[&str], b: &[&str]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for left in a {
            let mut corner = 0;
            for (at, right) in b.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if left == right {
                    corner + 1
                } else {
                    above.max(row[at])
                };
                corner = above;
            }
        }
        row[b.len()]
    }

    #[test]
    fn too_different() {
        let (old, new): (String, String) = (
            (0..2000).map(|nr| format!("a{nr}\n")).collect(),
            (0..2000).map(|nr| format!("b{nr}\n")).collect(),
        );
        assert_eq!(diff(&old, &new), None);
        assert_eq!(diff(&"x\n".repeat(LINES_MAX + 1), ""), None);
    }
}
