//! A request of one declared call, and its reply. The manifest knows method, URL, constants and authentication; the guest
//! names the call and fills in values. This module must not know any vendor.

use crate::body::{self, Form};
use crate::error;
use crate::status;
use crate::types::{Body, Error, Pair, Request, Response, Unanswered};
use serde_json::Value;

/// Builds the request of one call that the manifest declares.
///
/// ```
/// use crm_connector_sdk::{fake::{self, Exchange}, prelude::*};
/// let script = [Exchange::call("tags").answers(200, r#"{"tags": [{"id": 1}]}"#)];
/// let played = fake::with(script, || -> Result<usize, Error> {
///     let reply = Call::new("tags").path("list", "a/b").query("start", 0).query("count", 50).send()?.ok()?;
///     Ok(json::rows(&reply.json(), "/tags").len())
/// });
/// assert_eq!(played.result, Ok(1));
/// assert_eq!(played.sent[0].path[0].value, "a/b"); // the host encodes it
/// ```
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    request: Request,
}

impl Call {
    /// `name` is the manifest's name of the call, or `name@choice` to probe one endpoint choice (stage verify only).
    pub fn new(name: impl Into<String>) -> Self {
        Self { request: Request { call: name.into(), ..Request::default() } }
    }

    /// A value of the path template, unencoded: the host encodes it.
    pub fn path(mut self, name: &str, value: impl ToString) -> Self {
        self.request.path.push(Pair::new(name, value.to_string()));
        self
    }

    /// A query parameter, unencoded. Call it again with the same name where the wire repeats keys.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.request.query.push(Pair::new(name, value.to_string()));
        self
    }

    /// A query parameter, left out when there is nothing to say.
    pub fn query_opt(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) if !crate::text::is_blank(value.as_ref()) => self.query(name, value.as_ref()),
            _ => self,
        }
    }

    /// A request header that the manifest lets the guest set.
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.request.headers.push(Pair::new(name, value.to_string()));
        self
    }

    /// A JSON body. Empty values are dropped at every depth (see [`body::tidy`]), so that nothing the vendor already holds
    /// is overwritten with a blank.
    pub fn json(self, value: Value) -> Self {
        let tidied = body::tidy(value).unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        self.json_as_is(&tidied)
    }

    /// A JSON body with its blanks and nulls, for the few calls where they carry meaning.
    pub fn json_as_is(mut self, value: &Value) -> Self {
        self.request.body = Body::Json(crate::json::print(value));
        self
    }

    /// A form body.
    pub fn form(mut self, form: Form) -> Self {
        self.request.body = Body::Form(form.into_pairs());
        self
    }

    /// A body of another kind.
    pub fn bytes(mut self, bytes: Vec<u8>) -> Self {
        self.request.body = Body::Bytes(bytes);
        self
    }

    /// Sends it. Any status is `Ok`: judge it with [`Reply::ok`] or [`Reply::ok_or`]. `Err` when there was no answer.
    pub fn send(self) -> Result<Reply, Error> {
        let name = self.request.call.clone();
        self.try_send().map_err(|why| error::unanswered(&name, why))
    }

    /// Sends it and tells apart why there was no answer, for calls that must look before they write again.
    pub fn try_send(self) -> Result<Reply, Unanswered> {
        let call = self.request.call.clone();
        crate::transport::send(self.request).map(|response| Reply { call, response })
    }
}

/// The vendor's answer. Only headers that the call lists under `read_headers` are in it.
#[derive(Clone, Debug)]
pub struct Reply {
    call: String,
    response: Response,
}

impl Reply {
    /// The manifest's name of the call that was answered.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// True for 2xx.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.response.status)
    }

    /// A response header; `name` in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers.iter().find(|pair| pair.key.eq_ignore_ascii_case(name)).map(|pair| pair.value.trim())
    }

    /// A header that holds a number of seconds, rounded up.
    pub fn seconds(&self, name: &str) -> Option<u32> {
        let text = self.header(name)?;
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let whole = whole.parse::<u32>().ok()?;
        Some(whole.saturating_add(u32::from(rest.chars().any(|digit| ('1'..='9').contains(&digit)))))
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.response.body)
    }

    /// The body as JSON; `null` when it is empty or something else. For answers whose content decides nothing, or is
    /// looked at with helpers that take absence into account.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.response.body).unwrap_or(Value::Null)
    }

    /// The body as JSON, or `retryable`: a good status with a body that is no JSON is a proxy's page or a cut answer.
    pub fn need_json(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.response.body).map_err(|_| {
            error::retryable(self.status(), format!("{}: the answer is no JSON: {}", self.call, status::excerpt(&self.response.body)))
        })
    }

    /// Itself when 2xx, otherwise the error of [`status::classify`].
    pub fn ok(self) -> Result<Self, Error> {
        self.ok_or(|_| None)
    }

    /// Itself when 2xx, otherwise the connector's own judgement; where that is `None`, the usual one of
    /// [`status::classify`]. To catch failures inside 200, look at the reply before this.
    ///
    /// ```
    /// use crm_connector_sdk::{fake::{self, Exchange}, prelude::*};
    /// let judge = |reply: &Reply| (reply.status() == 404).then(|| error::destination_missing(404, "the list is gone"));
    /// let gone = fake::with([Exchange::call("add").answers(404, "")], || Call::new("add").send()?.ok_or(judge));
    /// assert!(matches!(gone.result, Err(Error::DestinationMissing(_))));
    /// let busy = fake::with([Exchange::call("add").answers(503, "")], || Call::new("add").send()?.ok_or(judge));
    /// assert!(matches!(busy.result, Err(Error::Retryable(_))));
    /// ```
    pub fn ok_or(self, judge: impl FnOnce(&Self) -> Option<Error>) -> Result<Self, Error> {
        if self.is_ok() {
            return Ok(self);
        }
        Err(judge(&self).unwrap_or_else(|| status::classify(&self)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.response.body
    }
}
