//! A question as it came. Only its name and its type go any further.
//!
//! Format: RFC 1035 §4; EDNS: RFC 6891.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query as Question, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RecordType};

/// Bytes of a header.
const HEADER: usize = 12;
/// What a client without EDNS can take by UDP, in bytes (RFC 1035 §4.2.1).
const PLAIN_BYTES: u16 = 512;
/// What we send by UDP at most, in bytes: what passes every network in one piece (DNS flag day 2020).
const DATAGRAM_BYTES_MAX: u16 = 1_232;

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// The client's number for it.
    pub(super) id: u16,
    /// What it asks, in the letters it asked with.
    pub(super) question: Question,
    /// It asks the server to ask others.
    pub(super) recursion: bool,
    /// It speaks EDNS.
    pub(super) edns: bool,
    /// What it can take by UDP, in bytes.
    pub(super) datagram_bytes: u16,
}

/// Why something is not answered with records.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// No question at all: not answered, so that nobody has us answer an answer.
    Silent(&'static str),
    /// It gets these bytes.
    Answered(&'static str, Vec<u8>),
}

impl Query {
    /// Reads a message.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        // A response has the first bit of its third byte set.
        match bytes.get(2) {
            Some(flags) if bytes.len() >= HEADER && flags & 0x80 == 0 => {}
            _ => return Err(Unreadable::Silent("what came is no question")),
        }
        let id =
            u16::from_be_bytes([bytes.first().copied().unwrap_or(0), bytes.get(1).copied().unwrap_or(0)]);
        let Ok(message) = Message::from_vec(bytes) else {
            return Err(error(id, OpCode::Query, ResponseCode::FormErr, "the message can't be read"));
        };
        let metadata = message.metadata;
        if metadata.message_type != MessageType::Query || metadata.op_code != OpCode::Query {
            let why = "the message asks for something else than a lookup";
            return Err(error(id, metadata.op_code, ResponseCode::NotImp, why));
        }
        if message.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
            return Err(error(
                id,
                OpCode::Query,
                ResponseCode::BADVERS,
                "the message has a later version of EDNS",
            ));
        }
        let [question] = message.queries.as_slice() else {
            return Err(error(id, OpCode::Query, ResponseCode::FormErr, "the message has not one question"));
        };
        if question.query_class() != DNSClass::IN {
            let why = "the question is of another class than the Internet's";
            return Err(error(id, OpCode::Query, ResponseCode::Refused, why));
        }
        let datagram_bytes = message.edns.as_ref().map_or(PLAIN_BYTES, Edns::max_payload);
        Ok(Self {
            id,
            question: question.clone(),
            recursion: metadata.recursion_desired,
            edns: message.edns.is_some(),
            datagram_bytes: datagram_bytes.clamp(PLAIN_BYTES, DATAGRAM_BYTES_MAX),
        })
    }

    /// The name asked for.
    pub(super) fn name(&self) -> &Name {
        self.question.name()
    }

    /// The type of records asked for.
    pub(super) fn kind(&self) -> RecordType {
        self.question.query_type()
    }
}

fn error(id: u16, op_code: OpCode, code: ResponseCode, why: &'static str) -> Unreadable {
    let mut message = Message::error_msg(id, op_code, code);
    if code == ResponseCode::BADVERS {
        // The upper bits of its number are there.
        let mut edns = Edns::new();
        edns.set_rcode_high(code.high());
        message.set_edns(edns);
    }
    message.to_vec().map_or(Unreadable::Silent(why), |bytes| Unreadable::Answered(why, bytes))
}
