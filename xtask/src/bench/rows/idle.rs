//! Row 18: memory that an idle connection takes.

use super::Row;
use crate::bench::machine::pss_bytes;
use crate::bench::peers::{Endpoint, Field};
use crate::bench::report::{Bound, Line, Outcome};
use crate::bench::stat::ratio;
use crate::bench::{Cpu, Options};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// Connections held. Each is a process of PostgreSQL's behind all but the pooler, so ten thousand would measure that.
const CONNECTIONS: u32 = 1000;

/// Measures the growth of each proxy.
pub fn run(row: &Row, options: &Options, cpu: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let field = Field::start(options, cpu, &["pgbouncer", "haproxy", "envoy"])?;
    let mut outcome = Outcome::new(row);
    let mut per = |name: &str| -> Result<f64> {
        let endpoint = field.endpoints()?.into_iter().find(|one| one.name == name).context("took no part")?;
        let (base, each) = grown(&endpoint)?;
        outcome.lines.push(Line {
            name: name.into(),
            cells: vec![("bytes each", each), ("KiB before", base / 1024.0)],
        });
        Ok(each)
    };
    per("pgbouncer")?;
    let haproxy = per("haproxy")?;
    per("envoy")?;
    let ours = per("interlock")?;
    outcome.gate("bytes per connection, interlock / haproxy", ratio(ours, haproxy), Bound::AtMost(1.0));
    outcome.notes.push(format!("{CONNECTIONS} connections, each after one statement; proportional set size"));
    outcome.notes.push(field.interlock.conditions()?);
    Ok(outcome)
}

/// A proxy's memory before, and what each connection adds.
fn grown(endpoint: &Endpoint) -> Result<(f64, f64)> {
    let pid = endpoint.pid.context("there is no process to measure")?;
    let own = std::env::current_exe()?.display().to_string();
    let mut line = endpoint.under.clone();
    line.extend([own, "bench-client".into(), "hold".into()]);
    line.extend([endpoint.host.clone(), endpoint.port.to_string(), CONNECTIONS.to_string()]);
    let (program, arguments) = line.split_first().context("no command line")?;
    let before = pss_bytes(pid);
    let mut holder =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    BufReader::new(holder.stdout.take().context("no output")?).read_line(&mut said)?;
    let after = pss_bytes(pid);
    drop(holder.stdin.take());
    holder.wait()?;
    ensure!(said.trim() == "ready", "could not hold {CONNECTIONS} connections through {}", endpoint.name);
    Ok((before, (after - before) / f64::from(CONNECTIONS)))
}

/// Opens connections, has one statement answered on each, says `ready`, and holds them until its input ends. Runs as a
/// process of its own.
pub fn hold(host: &str, port: u16, count: u32) -> Result<()> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(session(host, port)?);
    }
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Logs in without a password and runs one statement.
fn session(host: &str, port: u16) -> Result<TcpStream> {
    let mut stream = TcpStream::connect((host, port))?;
    let parameters = format!("user\0postgres\0database\0{}\0\0", crate::bench::pgbench::DATABASE);
    let mut startup = 196_608_u32.to_be_bytes().to_vec();
    startup.extend(parameters.as_bytes());
    stream.write_all(&with_length(&startup)?)?;
    until_ready(&mut stream)?;
    let mut query = vec![b'Q'];
    query.extend(with_length(b"SELECT 1\0")?);
    stream.write_all(&query)?;
    until_ready(&mut stream)?;
    Ok(stream)
}

fn with_length(body: &[u8]) -> Result<Vec<u8>> {
    let mut message = u32::try_from(body.len() + 4)?.to_be_bytes().to_vec();
    message.extend(body);
    Ok(message)
}

/// Reads messages up to and including ReadyForQuery.
fn until_ready(stream: &mut TcpStream) -> Result<()> {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length))?.saturating_sub(4)];
        stream.read_exact(&mut body)?;
        ensure!(kind != b'E', "the server refused: {}", String::from_utf8_lossy(&body));
        if kind == b'Z' {
            return Ok(());
        }
    }
}
