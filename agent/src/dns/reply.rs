//! What goes back to the client.

use super::query::Query;
use hickory_proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{RData, Record};

/// The EDNS option that says why (RFC 8914), and its code for "the server won't answer this client".
const EXTENDED_ERROR: u16 = 15;
const PROHIBITED: u16 = 18;
/// Bytes of the words in it.
const WORDS_MAX: usize = 256;

/// How a question is answered.
#[derive(Debug)]
pub(super) enum Reply<'a> {
    /// With records, all of them good for so many seconds at most.
    Records(&'a [Record], u32),
    /// There is no such name, or it has no such records; the record that says for how long that holds.
    Nothing(ResponseCode, Option<&'a Record>),
    /// Not permitted.
    Refused(ResponseCode, &'a str),
    /// The servers did not answer.
    Failed,
}

/// The bytes of an answer, of so many at most: longer ones are cut off and say so, and the client asks again by TCP.
pub(super) fn encode(query: &Query, reply: &Reply<'_>, bytes_max: usize) -> Vec<u8> {
    let message = message(query, reply);
    let encoded = message.to_vec().unwrap_or_default();
    if !encoded.is_empty() && encoded.len() <= bytes_max {
        return encoded;
    }
    message.truncate().to_vec().unwrap_or_default()
}

fn message(query: &Query, reply: &Reply<'_>) -> Message {
    let mut message = Message::response(query.id, OpCode::Query);
    message.metadata.recursion_desired = query.recursion;
    message.metadata.recursion_available = true;
    message.add_query(query.question.clone());
    let mut edns = query.edns.then(|| {
        let mut edns = Edns::new();
        edns.set_max_payload(query.datagram_bytes);
        edns
    });
    match reply {
        Reply::Records(records, ttl_max) => {
            message.add_answers(records.iter().map(|record| as_asked(record, query, *ttl_max)));
        }
        Reply::Nothing(code, authority) => {
            message.metadata.response_code = *code;
            message.add_authorities(authority.iter().map(|record| (*record).clone()));
        }
        Reply::Refused(code, why) => {
            message.metadata.response_code = *code;
            if let Some(edns) = &mut edns {
                edns.options_mut().insert(EdnsOption::Unknown(EXTENDED_ERROR, extended_error(why)));
            }
        }
        Reply::Failed => message.metadata.response_code = ResponseCode::ServFail,
    }
    if let Some(edns) = edns {
        message.set_edns(edns);
    }
    message
}

/// A record as the client gets it: the name in the letters that it asked with, and good for no longer than all of them are.
fn as_asked(record: &Record, query: &Query, ttl_max: u32) -> Record<RData> {
    let mut record = record.clone();
    if record.name == *query.name() {
        record.name = query.name().clone();
    }
    record.ttl = record.ttl.min(ttl_max);
    record
}

fn extended_error(why: &str) -> Vec<u8> {
    let end = (0..=why.len().min(WORDS_MAX)).rev().find(|end| why.is_char_boundary(*end)).unwrap_or(0);
    let mut bytes = PROHIBITED.to_be_bytes().to_vec();
    bytes.extend(why.as_bytes().iter().take(end));
    bytes
}
