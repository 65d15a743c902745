//! The rows of the table, one function each.

mod connect;
mod crates;
mod hostile;
mod idle;
mod latency;
mod neighbours;
mod traffic;

use super::peers::Endpoint;
use super::pgbench::{Load, Turn};
use super::report::Outcome;
use super::stat::median;
use super::{Cpu, Options};
use anyhow::{Result, bail};

pub use connect::connects;
pub use idle::hold;

/// One row.
pub struct Row {
    pub number: u8,
    pub title: &'static str,
    /// What it is defined with.
    pub cpu: Cpu,
    pub run: fn(&Row, &Options, Cpu, &[Outcome]) -> Result<Outcome>,
}

const ROWS: &[Row] = &[
    Row { number: 1, title: "simple statements, one client, one CPU", cpu: Cpu::One, run: traffic::simple },
    Row {
        number: 2,
        title: "prepared statements, eight clients, one CPU",
        cpu: Cpu::One,
        run: traffic::prepared,
    },
    Row {
        number: 3,
        title: "simple statements, eight clients, all CPUs",
        cpu: Cpu::Two,
        run: traffic::throughput,
    },
    Row { number: 4, title: "policy decisions", cpu: Cpu::One, run: crates::policy },
    Row { number: 6, title: "statements that defeat every cache", cpu: Cpu::One, run: hostile::run },
    Row { number: 14, title: "cost of a connection", cpu: Cpu::One, run: connect::run },
    Row { number: 15, title: "ungoverned neighbours", cpu: Cpu::One, run: neighbours::run },
    Row { number: 16, title: "audit rows into ClickHouse", cpu: Cpu::Two, run: crates::sink },
    Row { number: 17, title: "durable spool", cpu: Cpu::Two, run: crates::spool },
    Row { number: 18, title: "memory of idle connections", cpu: Cpu::Two, run: idle::run },
    Row { number: 19, title: "added latency at a fixed rate", cpu: Cpu::Two, run: latency::run },
    Row { number: 20, title: "hooks of a governed process", cpu: Cpu::One, run: neighbours::governed },
];

/// The rows with these numbers; all for none.
pub fn chosen(numbers: &[u8]) -> Result<Vec<&'static Row>> {
    if numbers.is_empty() {
        return Ok(ROWS.iter().collect());
    }
    let mut rows = Vec::new();
    for number in numbers {
        let Some(row) = ROWS.iter().find(|row| row.number == *number) else {
            let known: Vec<String> = ROWS.iter().map(|row| row.number.to_string()).collect();
            bail!("no row {number}; there are {}", known.join(", "));
        };
        rows.push(row);
    }
    Ok(rows)
}

/// Everybody's turns, by contender.
pub struct Contest {
    turns: Vec<(String, Vec<Turn>)>,
}

impl Contest {
    /// Lets contenders take turns: in order in one round, in reverse in the next, so that a drift of the machine meets
    /// all alike. One short unmeasured turn each comes first.
    pub fn hold(endpoints: &[Endpoint], load: &Load, options: &Options, cpu: Cpu) -> Result<Self> {
        let mut turns: Vec<(String, Vec<Turn>)> =
            endpoints.iter().map(|endpoint| (endpoint.name.clone(), Vec::new())).collect();
        for endpoint in endpoints {
            load.turn(endpoint, 1, cpu)?;
        }
        for round in 0..options.rounds {
            let mut order: Vec<(usize, &Endpoint)> = endpoints.iter().enumerate().collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for (index, endpoint) in order {
                let turn = load.turn(endpoint, options.secs, cpu)?;
                if let Some((_, list)) = turns.get_mut(index) {
                    list.push(turn);
                }
            }
        }
        Ok(Self { turns })
    }

    /// The median over a contender's turns of whatever is asked of a turn; infinite if it took no part.
    pub fn median(&self, name: &str, of: impl Fn(&Turn) -> f64) -> f64 {
        let turns = self.turns.iter().find(|(other, _)| other == name).map(|(_, turns)| turns);
        turns.map_or(f64::INFINITY, |turns| median(&turns.iter().map(of).collect::<Vec<_>>()))
    }

    /// Names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.turns.iter().map(|(name, _)| name.as_str())
    }
}
