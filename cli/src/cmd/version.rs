//! `version`: which build this is.

use crate::exit::{Code, Failure};
use crate::output;

pub fn run(json: bool) -> Result<Code, Failure> {
    output::write(text(json).as_bytes())
}

fn text(json: bool) -> String {
    let (version, os, arch) = (
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    if json {
        let object =
            serde_json::json!({ "message_type": "version", "version": version, "os": os, "arch": arch });
        return format!("{object}\n");
    }
    format!("dedup {version} on {os}/{arch}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        assert!(text(false).starts_with(concat!("dedup ", env!("CARGO_PKG_VERSION"))));
        let json: serde_json::Value = serde_json::from_str(&text(true)).unwrap();
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    }
}
