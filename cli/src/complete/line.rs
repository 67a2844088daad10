//! A command line as bash splits it into words, as far as the cursor.

/// Bash takes these for the ends of words, and completes only what comes after the last one.
const BREAKS: [char; 2] = ['=', ':'];

/// The words of a line, the last one unfinished, and how much of that bash regards as finished.
#[derive(PartialEq, Eq, Debug)]
pub struct Line {
    pub words: Vec<String>,
    /// In bytes of the last word.
    pub finished: usize,
}

/// Quotes and backslashes are taken away; nothing is expanded.
pub fn split(line: &str) -> Line {
    let (mut words, mut word, mut is_open) = (Vec::new(), String::new(), false);
    let mut finished = 0;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => {
                if is_open {
                    words.push(std::mem::take(&mut word));
                }
                (is_open, finished) = (false, 0);
                continue;
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.extend(chars.next()),
            (None, c) if BREAKS.contains(&c) => {
                word.push(c);
                finished = word.len();
            }
            (_, c) => word.push(c),
        }
        is_open = true;
    }
    words.push(word);
    Line { words, finished }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_a_shell_does() {
        let rows: &[(&str, &[&str], usize)] = &[
            ("dedup ", &["dedup", ""], 0),
            ("dedup ls", &["dedup", "ls"], 0),
            (
                "dedup  ls 'a b' \"c\\\"d\" e\\ f",
                &["dedup", "ls", "a b", "c\"d", "e f"],
                0,
            ),
            ("dedup ls latest:/ho", &["dedup", "ls", "latest:/ho"], 7),
            (
                "dedup set edit --destination=d",
                &["dedup", "set", "edit", "--destination=d"],
                14,
            ),
            ("dedup ls 'a:b", &["dedup", "ls", "a:b"], 0),
            ("dedup ls ''", &["dedup", "ls", ""], 0),
            ("", &[""], 0),
        ];
        for (line, words, finished) in rows {
            let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
            let finished = *finished;
            assert_eq!(split(line), Line { words, finished }, "{line}");
        }
    }
}
