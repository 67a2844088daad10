//! The difference between two versions of the settings file, line by line, as `diff -u` shows it.

use std::fmt::Write;

/// Unchanged lines around a change.
const CONTEXT: usize = 3;
/// Lines that differ are compared with each other only up to this many on each side; a settings file has fewer.
const LINES_MAX: usize = 2000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineSide {
    Both,
    Before,
    After,
}

/// Empty if both are the same.
pub fn unified(name: &str, before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let lines = compare(&old, &new);
    let is_change = |(side, _): &(LineSide, &str)| *side != LineSide::Both;
    if !lines.iter().any(is_change) {
        return String::new();
    }
    // Writing to a String can't fail.
    let mut out = format!("--- {name}\n+++ {name}\n");
    let mut at = 0;
    while let Some(first) = (at..lines.len()).find(|&i| is_change(&lines[i])) {
        let start = first.saturating_sub(CONTEXT).max(at);
        let mut end = first;
        while let Some(next) = (end..lines.len().min(end + 2 * CONTEXT + 1)).find(|&i| is_change(&lines[i])) {
            end = next + 1;
        }
        let end = (end + CONTEXT).min(lines.len());
        let count = |upto: usize, without: LineSide| lines[..upto].iter().filter(|l| l.0 != without).count();
        let range = |without: LineSide| {
            let (from, to) = (count(start, without), count(end, without));
            format!("{},{}", if to > from { from + 1 } else { from }, to - from)
        };
        let _ = writeln!(
            out,
            "@@ -{} +{} @@",
            range(LineSide::After),
            range(LineSide::Before)
        );
        for (side, line) in &lines[start..end] {
            let mark = match side {
                LineSide::Both => ' ',
                LineSide::Before => '-',
                LineSide::After => '+',
            };
            let _ = writeln!(out, "{mark}{line}");
        }
        at = end;
    }
    out
}

/// By the longest common subsequence of what is between the equal lines at both ends.
fn compare<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<(LineSide, &'t str)> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = |lines: &[&str]| lines.len() - head;
    let tail = old.iter().rev().zip(new.iter().rev());
    let tail = tail
        .take_while(|(a, b)| a == b)
        .count()
        .min(rest(old))
        .min(rest(new));
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut lines: Vec<_> = old[..head].iter().map(|line| (LineSide::Both, *line)).collect();
    if a.len() > LINES_MAX || b.len() > LINES_MAX {
        lines.extend(a.iter().map(|line| (LineSide::Before, *line)));
        lines.extend(b.iter().map(|line| (LineSide::After, *line)));
    } else {
        middle(a, b, &mut lines);
    }
    lines.extend(old[old.len() - tail..].iter().map(|line| (LineSide::Both, *line)));
    lines
}

fn middle<'t>(a: &[&'t str], b: &[&'t str], lines: &mut Vec<(LineSide, &'t str)>) {
    // longest[i][j]: of a[i..] and b[j..].
    let mut longest = vec![vec![0u16; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] = match a[i] == b[j] {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push((LineSide::Both, a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push((LineSide::Before, a[i]));
            i += 1;
        } else {
            lines.push((LineSide::After, b[j]));
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_diff_shows_it() {
        assert_eq!(unified("f", "a\nb\n", "a\nb\n"), "");
        let text = |changed: &[(usize, &str)]| -> String {
            (1..=20)
                .map(|n| match changed.iter().find(|(at, _)| *at == n) {
                    Some((_, line)) => format!("{line}\n"),
                    None => format!("{n}\n"),
                })
                .collect()
        };
        assert_eq!(
            unified("f", &text(&[]), &text(&[(2, "two"), (18, "x\ny")])),
            "--- f\n+++ f\n@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n\
             @@ -15,6 +15,7 @@\n 15\n 16\n 17\n-18\n+x\n+y\n 19\n 20\n"
        );
        assert_eq!(unified("f", "", "a\n"), "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
        assert_eq!(
            unified("f", "a\nb\nc\n", "b\nc\nd\n"),
            "--- f\n+++ f\n@@ -1,3 +1,3 @@\n-a\n b\n c\n+d\n"
        );
    }
}
