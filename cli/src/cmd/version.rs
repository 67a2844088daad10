//! `version`: which build this is.

use crate::output;
use service::json;
use service::{Failure, Status};

pub fn run(json: bool) -> Result<Status, Failure> {
    output::write(text(json).as_bytes())
}

fn text(json: bool) -> String {
    let (version, os, arch) = (
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    if json {
        // Those that begin with `go_` are for readers of restic's.
        let object = serde_json::json!({
            "message_type": "version",
            "version": version,
            "os": os,
            "arch": arch,
            "go_version": "none",
            "go_os": if os == "macos" { "darwin" } else { os },
            "go_arch": match arch {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            },
        });
        return json::line(&object) + "\n";
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
