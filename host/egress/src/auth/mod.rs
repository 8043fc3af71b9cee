//! Authentication as data, applied last: nothing that a guest wrote can move it. Sees unsealed credentials for the length
//! of one call; what it returns for the journal holds labelled slots in their place.

mod apply;
mod jwt;
mod signature;
mod token;
mod token_answer;

pub(crate) use apply::{Applied, apply, header_names};
pub(crate) use jwt::key as jwt_key;
pub(crate) use token::{LiveToken, REFUSED_MS, Refused, TokenAsk, TokenCall, Tokens};
pub(crate) use token_answer::{NoToken, read as read_token};
