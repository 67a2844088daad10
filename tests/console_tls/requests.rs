//! What is no request, sent by hand.

use super::{Running, home};
use std::io::{Read, Write};
use std::net::Shutdown;

/// Requests that two readers would take for different ones (request smuggling), or that are none.
#[test]
fn requests_that_are_none() {
    let home = home("");
    home.write(".config/dedup/dedup.toml", "");
    let console = Running::start(&home, &["--listen", "127.0.0.1:0"]);
    let host = format!("Host: 127.0.0.1:{}\r\n", console.port);
    let place = format!("127.0.0.1:{}", console.port);
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let form = format!("{host}Origin: http://{place}\r\n{kind}\r\n");
    let many: String = (0..2000).map(|nr| format!("X-{nr}: a\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "a".repeat(1 << 20));
    let requests = [
        (
            "two lengths",
            format!("POST /login HTTP/1.1\r\n{form}Content-Length: 5\r\nContent-Length: 6\r\n\r\nx=1&y="),
        ),
        (
            "a length of -1",
            format!("POST /login HTTP/1.1\r\n{form}Content-Length: -1\r\n\r\n"),
        ),
        (
            "a length of letters",
            format!("POST /login HTTP/1.1\r\n{form}Content-Length: 0x5\r\n\r\nx=1&y="),
        ),
        (
            "a coding twice",
            format!("POST /login HTTP/1.1\r\n{form}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ),
        (
            "a chunk too large",
            format!("POST /login HTTP/1.1\r\n{form}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
        ),
        (
            "a chunk of letters",
            format!("POST /login HTTP/1.1\r\n{form}Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        ),
        (
            "two hosts",
            format!("GET / HTTP/1.1\r\n{host}Host: evil.example\r\n\r\n"),
        ),
        (
            "a folded host",
            "GET / HTTP/1.1\r\nHost:\r\n evil.example\r\n\r\n".to_string(),
        ),
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_string()),
        ("no host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n".to_string()),
        ("HTTP/0.9", "GET /\r\n\r\n".to_string()),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_string()),
        ("a version that is none", format!("GET / HTTP/9.9\r\n{host}\r\n")),
        (
            "a space before the colon",
            "GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n".to_string(),
        ),
        (
            "a zero in a header",
            format!("GET / HTTP/1.1\r\n{host}X: a\0b\r\n\r\n"),
        ),
        (
            "another place",
            "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_string(),
        ),
        (
            "a place that is not the host",
            format!("GET http://evil.example/ HTTP/1.1\r\n{host}\r\n"),
        ),
        (
            "a tunnel",
            format!("CONNECT evil.example:443 HTTP/1.1\r\n{host}\r\n"),
        ),
        ("every place", format!("OPTIONS * HTTP/1.1\r\n{host}\r\n")),
        (
            "thousands of headers",
            format!("GET / HTTP/1.1\r\n{host}{many}\r\n"),
        ),
        (
            "a header of a mebibyte",
            format!("GET / HTTP/1.1\r\n{host}{large}\r\n"),
        ),
    ];
    for (what, request) in requests {
        let mut stream = console.connect();
        // It may have refused before all of it was sent.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        let is_refused = answer.is_empty() || status.starts_with('4') || status == "303";
        assert!(
            is_refused && !answer.contains("name=\"password\""),
            "{what}: {answer}"
        );
        assert!(!answer.contains("evil.example"), "{what}: {answer}");
        let only_one = answer.matches("HTTP/1.").count() <= 1;
        assert!(only_one, "{what} is one request: {answer}");
    }
    assert_eq!(console.curl_plain("/login"), 200);
}
