//! Properties of whole conversations: transparency and split invariance.

use super::script::*;
use crate::Side;
use crate::fuzz;
use crate::postgres::Postgres;
use proptest::prelude::*;

/// One exchange: what the client sends and what the target replies.
fn exchange() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let rows = proptest::collection::vec("[a-z]{0,40}", 0..5);
    let text = prop_oneof![
        Just("select id from orders".to_owned()),
        "select [0-9]{1,5}",
        "insert into orders values \\('[a-z ]{0,30}'\\)",
        "[ -~]{0,60}",
    ];
    (0..5_u8, text, rows).prop_map(|(kind, text, rows)| {
        let data: Vec<u8> = rows.iter().flat_map(|value| row(&[value])).collect();
        let tag = complete(&format!("SELECT {}", rows.len()));
        match kind {
            0 => (query(&text), [message(b'T', &[0, 1]), data, tag, ready(b'I')].concat()),
            1 => (query(&text), [error("42601", "syntax error"), ready(b'I')].concat()),
            2 => (
                [parse("", &text), bind("", "", &["1"]), describe('P', ""), execute(""), sync()].concat(),
                [message(b'1', &[]), message(b'2', &[]), message(b'n', &[]), data, tag, ready(b'I')].concat(),
            ),
            3 => (
                [parse("s", &text), describe('S', "s"), sync(), close('S', "s"), sync()].concat(),
                [
                    message(b'1', &[]),
                    message(b't', &[0, 0]),
                    message(b'n', &[]),
                    ready(b'I'),
                    message(b'3', &[]),
                    ready(b'I'),
                ]
                .concat(),
            ),
            _ => (
                [parse("", &text), bind("p", "", &[]), execute("p"), sync()].concat(),
                [message(b'1', &[]), error("22012", "division by zero"), ready(b'I')].concat(),
            ),
        }
    })
}

fn conversation(exchanges: &[(Vec<u8>, Vec<u8>)]) -> Vec<(Side, Vec<u8>)> {
    let login = startup(&[("user", "app"), ("database", "shop")]);
    let mut turns = vec![(Side::Client, login), (Side::Server, welcome())];
    for (asked, replied) in exchanges {
        turns.push((Side::Client, asked.clone()));
        turns.push((Side::Server, replied.clone()));
    }
    turns
}

fn said(turns: &[(Side, Vec<u8>)], side: Side) -> Vec<u8> {
    turns.iter().filter(|(from, _)| *from == side).flat_map(|(_, bytes)| bytes.clone()).collect()
}

proptest! {
    #[test]
    fn released_conversations_pass_unchanged(exchanges in proptest::collection::vec(exchange(), 1..8)) {
        let turns = conversation(&exchanges);
        let seen = fuzz::run(&Postgres, &plain_options(), &turns, &[]);
        prop_assert_eq!(&seen.error, &None);
        prop_assert_eq!(seen.to_server, said(&turns, Side::Client));
        prop_assert_eq!(seen.to_client, said(&turns, Side::Server));
        let runs = seen.asked.iter().filter(|(phase, ..)| *phase == crate::Phase::Run).count();
        prop_assert_eq!(runs, seen.done.len());
    }

    #[test]
    fn any_split_gives_the_same(
        exchanges in proptest::collection::vec(exchange(), 1..5),
        cuts in proptest::collection::vec(1_usize..64, 1..20),
    ) {
        fuzz::split_invariant(&Postgres, &plain_options(), &conversation(&exchanges), &cuts);
    }
}

#[test]
fn every_single_split_of_one_conversation_gives_the_same() {
    let one = [message(b'T', &[0, 1]), row(&["1"]), complete("SELECT 1"), ready(b'I')].concat();
    let turns = conversation(&[(query("select id from orders"), one)]);
    for cut in 1..80 {
        fuzz::split_invariant(&Postgres, &plain_options(), &turns, &[cut]);
    }
}
