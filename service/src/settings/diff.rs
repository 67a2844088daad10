//! The difference between two versions of the settings file, line by line, as `diff -u` shows it.

use similar::TextDiff;

/// Empty if both are the same.
pub fn unified(name: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().header(name, name).to_string()
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
        assert_eq!(unified("f", "", "a\n"), "--- f\n+++ f\n@@ -0,0 +1 @@\n+a\n");
        assert_eq!(
            unified("f", "a\nb\nc\n", "b\nc\nd\n"),
            "--- f\n+++ f\n@@ -1,3 +1,3 @@\n-a\n b\n c\n+d\n"
        );
    }
}
