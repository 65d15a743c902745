//! A client that speaks the protocol byte by byte, for what no driver would send.

use crate::support::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

/// One raw connection.
pub(super) struct Raw {
    stream: TcpStream,
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&i32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

pub(super) fn startup(database: &str) -> Vec<u8> {
    let mut body = 196_608_i32.to_be_bytes().to_vec();
    body.extend_from_slice(format!("user\0postgres\0database\0{database}\0\0").as_bytes());
    let mut packet = i32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
    packet.append(&mut body);
    packet
}

impl Raw {
    /// Connects without saying anything.
    pub(super) fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    /// Connects and logs in.
    pub(super) fn connect(port: u16, database: &str) -> Self {
        let mut raw = Self::open(port);
        raw.send(&startup(database));
        raw.until_ready();
        raw
    }

    /// Sends bytes; the other side may have hung up.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                panic!("{error}")
            }
            _ => {}
        }
    }

    /// Everything up to and with the next ReadyForQuery.
    pub(super) fn until_ready(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut header = [0; 5];
            self.stream.read_exact(&mut header).unwrap();
            let length = usize::try_from(i32::from_be_bytes(header[1..].try_into().unwrap())).unwrap();
            let mut body = vec![0; length - 4];
            self.stream.read_exact(&mut body).unwrap();
            all.extend_from_slice(&header);
            all.append(&mut body);
            if header[0] == b'Z' {
                return all;
            }
        }
    }

    /// Everything until the other side closes.
    pub(super) fn until_closed(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        match self.stream.read_to_end(&mut all) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => {
                panic!("{error}; read so far: {all:?}")
            }
            _ => all,
        }
    }

    pub(super) fn query(&mut self, text: &str) -> Vec<u8> {
        self.send(&message(b'Q', &[text.as_bytes(), b"\0"].concat()));
        self.until_ready()
    }

    /// Parse, Bind, Describe, Execute, Sync at once.
    pub(super) fn extended(&mut self, text: &str) -> Vec<u8> {
        let parse = message(b'P', &[b"\0", text.as_bytes(), b"\0\0\0"].concat());
        let rest =
            [message(b'B', &[0; 8]), message(b'D', b"P\0"), message(b'E', &[0; 5]), message(b'S', &[])]
                .concat();
        self.send(&[parse, rest].concat());
        self.until_ready()
    }
}

pub(super) fn shows(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
