//! A web server that answers as a test says, however wrong that is, and closes each connection after its answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What is sent.
pub struct Answer {
    /// The status line's status, and header lines.
    head: String,
    body: Vec<u8>,
    /// The body is sent again and again until the client has enough.
    is_endless: bool,
}

impl Answer {
    /// With the length of its body.
    pub fn new(status: &str, body: &str) -> Answer {
        let length = format!("content-length: {}", body.len());
        Answer::with(status, &[&length], body)
    }

    /// With these lines of the head and no others; the body ends with the connection.
    pub fn with(status: &str, lines: &[&str], body: &str) -> Answer {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        Answer {
            head: format!("HTTP/1.1 {status}\r\nconnection: close\r\n{lines}\r\n"),
            body: body.as_bytes().to_vec(),
            is_endless: false,
        }
    }

    pub fn endless(status: &str, lines: &[&str], body: &str) -> Answer {
        Answer {
            is_endless: true,
            ..Answer::with(status, lines, body)
        }
    }
}

/// Answers requests by what their head says, and returns the port. Lives as long as the process.
pub fn scripted(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let answer = answer.clone();
            // A client that has enough closes; the rest can't be sent then.
            std::thread::spawn(move || serve(&client, &*answer).unwrap_or_default());
        }
    });
    port
}

fn serve(mut client: &TcpStream, answer: &dyn Fn(&str) -> Answer) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        head += &line;
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    let answer = answer(&head);
    client.write_all(answer.head.as_bytes())?;
    loop {
        client.write_all(&answer.body)?;
        if !answer.is_endless {
            return Ok(());
        }
    }
}
