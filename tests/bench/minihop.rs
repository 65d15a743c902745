//! The floor of every benchmark: a relay that does nothing but relay, one blocking thread per direction.
//!
//! `minihop LISTEN UPSTREAM`, both `address:port`. Whatever a hop in userspace adds, it adds at least this.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(listen), Some(upstream)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: minihop LISTEN UPSTREAM"));
    };
    let listener = TcpListener::bind(&listen)?;
    for client in listener.incoming() {
        let client = client?;
        let server = TcpStream::connect(&upstream)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (client_reads, server_writes) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || relay(client_reads, server_writes));
        thread::spawn(move || relay(server, client));
    }
    Ok(())
}

/// Copies until either side ends, then passes the end on.
fn relay(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let Some(chunk) = buffer.get(..count) else { break };
        if to.write_all(chunk).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Write);
}
