//! A script in the host's stead, for a connector's own tests: which calls are expected, in order, and what is answered.
//! A call that the script does not expect, or an exchange that is never used, fails the test with a sentence.

use std::cell::RefCell;
use std::rc::Rc;

use crate::log::Level;
use crate::native;
use crate::types::{Body, Job, Pair, Person, Request, Response, Unanswered};
use serde_json::Value;

/// One expected call and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    call: String,
    answer: Result<Response, Unanswered>,
}

impl Exchange {
    /// Expects the call of this name; answers 200 with an empty body unless told otherwise.
    pub fn call(name: &str) -> Self {
        Self { call: name.to_owned(), answer: Ok(Response { status: 200, ..Response::default() }) }
    }

    /// The status and body of the answer.
    #[must_use]
    pub fn answers(mut self, status: u16, body: &str) -> Self {
        self.answer = Ok(Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() });
        self
    }

    /// A response header, as the host hands it over: name in lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok(response) = &mut self.answer {
            response.headers.push(Pair::new(name.to_lowercase(), value));
        }
        self
    }

    /// No answer, and why.
    #[must_use]
    pub fn unanswered(mut self, why: Unanswered) -> Self {
        self.answer = Err(why);
        self
    }
}

/// What happened while a script ran.
#[derive(Debug)]
pub struct Played<T> {
    /// What the closure returned.
    pub result: T,
    /// Every request, in order.
    pub sent: Vec<Request>,
    /// Every log line, in order.
    pub log: Vec<(Level, String)>,
}

/// Runs `body` with `script` answering its calls, in order.
///
/// # Panics
/// When `body` makes another call than the next of the script, or leaves exchanges unused.
pub fn with<T>(script: impl IntoIterator<Item = Exchange>, body: impl FnOnce() -> T) -> Played<T> {
    #[derive(Default)]
    struct State {
        sent: Vec<Request>,
        log: Vec<(Level, String)>,
        wrong: Option<String>,
    }
    let state = Rc::new(RefCell::new(State::default()));
    let left = Rc::new(RefCell::new(script.into_iter().collect::<std::collections::VecDeque<_>>()));

    let (state_in, left_in) = (Rc::clone(&state), Rc::clone(&left));
    let handler = Box::new(move |request: Request| {
        let mut state = state_in.borrow_mut();
        let number = state.sent.len() + 1;
        let answer = match left_in.borrow_mut().pop_front() {
            Some(exchange) if exchange.call == request.call => exchange.answer,
            other => {
                let expected = other.map_or_else(|| "no further call".to_owned(), |exchange| format!("{:?}", exchange.call));
                let text = format!("call {number} is {:?}, the script expects {expected}", request.call);
                state.wrong.get_or_insert_with(|| text.clone());
                Err(Unanswered::Refused(text))
            }
        };
        state.sent.push(request);
        answer
    });
    let state_in = Rc::clone(&state);
    let logger = Box::new(move |level, text: &str| state_in.borrow_mut().log.push((level, text.to_owned())));

    let result = native::with_log(logger, || native::with(handler, body));
    let state = std::mem::take(&mut *state.borrow_mut());
    assert!(state.wrong.is_none(), "{}", state.wrong.unwrap_or_default());
    let unused: Vec<String> = left.borrow().iter().map(|exchange| exchange.call.clone()).collect();
    assert!(unused.is_empty(), "the script was left with unused exchanges: {unused:?}");
    Played { result, sent: state.sent, log: state.log }
}

/// A job that brings `email` in with these tags and nothing else.
pub fn job(email: &str, set: &[&str]) -> Job {
    let set: Vec<String> = set.iter().map(|tag| (*tag).to_owned()).collect();
    Job { who: person(email), all: set.clone(), set, ..Job::default() }
}

/// A person of whom only the e-mail is known.
pub fn person(email: &str) -> Person {
    Person { email: email.to_owned(), ..Person::default() }
}

/// The JSON body of a request.
///
/// # Panics
/// When the body is of another kind.
pub fn json_body(request: &Request) -> Value {
    match &request.body {
        Body::Json(text) => serde_json::from_str(text).unwrap_or_else(|error| panic!("the body of {:?} is no JSON: {error}", request.call)),
        other => panic!("the body of {:?} is no JSON but {other:?}", request.call),
    }
}

/// A query or path value of a request.
pub fn value<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    pairs.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str())
}
