//! What a description demands of one operation, and whether a request keeps to it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use super::schema::Schema;
use super::{Place, walk};
use crate::sent::{Body, Sent};

/// What is wrong with a request: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `query NAME`, `path NAME`, `header NAME` or `body /pointer`, indices of lists as `*`.
    pub place: String,
    pub what: String,
}

pub struct Operation {
    /// `PUT /lists/{list_id}`.
    pub name: String,
    params: Vec<Param>,
    body: Option<Payload>,
    /// Header, and the scheme that it must begin with.
    credentials: Vec<(String, Option<String>)>,
}

struct Param {
    place: String,
    name: String,
    required: bool,
    /// A list in one value, divided by commas.
    joined: bool,
    schema: Schema,
}

struct Payload {
    required: bool,
    media: BTreeMap<String, Schema>,
}

impl Operation {
    pub(super) fn read(root: &Value, place: &Place) -> Result<Self> {
        let item = &root["paths"][&place.template];
        let operation = &item[place.method];
        let listed = |owner: &'_ Value| owner["parameters"].as_array().cloned().unwrap_or_default();
        // The operation's own parameters stand before those of its path, which they replace.
        let mut params: Vec<Param> = Vec::new();
        for param in listed(operation).iter().chain(&listed(item)) {
            let param = Param::read(root, resolved(root, param))?;
            if !params.iter().any(|known| (&known.place, &known.name) == (&param.place, &param.name)) {
                params.push(param);
            }
        }
        let body = operation.get("requestBody").map(|body| Payload::read(root, resolved(root, body))).transpose()?;
        let name = format!("{} {}", place.method.to_uppercase(), place.template);
        Ok(Self { name, params, body, credentials: credentials(root, operation) })
    }

    /// Everything that is wrong with a request that was routed here; `values` stand for the path's parameters.
    pub fn faults(&self, sent: &Sent, values: &[(String, String)]) -> Vec<Fault> {
        let mut faults = Vec::new();
        let headers: Vec<(String, String)> = sent.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        for param in &self.params {
            let given = match param.place.as_str() {
                "path" => values,
                "query" => &sent.query,
                _ => &headers,
            };
            param.check(given, &mut faults);
        }
        for (name, _) in &sent.query {
            if !self.params.iter().any(|param| param.place == "query" && param.name == *name) {
                faults.push(Fault { place: format!("query {name}"), what: "is not described".to_owned() });
            }
        }
        for (header, scheme) in &self.credentials {
            let given = sent.headers.get(header).map_or("", String::as_str);
            let fits = scheme.as_ref().is_none_or(|scheme| given.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(scheme)));
            if given.is_empty() || !fits {
                let what = format!("{given:?}, described as {}", scheme.as_deref().unwrap_or("a key"));
                faults.push(Fault { place: format!("header {header}"), what });
            }
        }
        self.check_body(sent, &mut faults);
        faults
    }

    fn check_body(&self, sent: &Sent, faults: &mut Vec<Fault>) {
        let mut fault = |place: &str, what: String| faults.push(Fault { place: place.to_owned(), what });
        let (payload, value) = match (&self.body, &sent.body) {
            (None, Body::None) => return,
            (None, _) => return fault("body", "is there, but none is described".to_owned()),
            (Some(payload), Body::None) if payload.required => return fault("body", "is missing".to_owned()),
            (Some(_), Body::None) => return,
            (Some(payload), Body::Json(value)) => (payload, value),
            (Some(_), _) => return fault("body", "is no JSON".to_owned()),
        };
        let Some(schema) = payload.media.get(sent.media()) else {
            let known: Vec<&String> = payload.media.keys().collect();
            return fault("header content-type", format!("{:?}, described: {known:?}", sent.media()));
        };
        for (at, what) in schema.faults(value) {
            fault(&format!("body {}", starred(&at)), what);
        }
        for at in walk::unknown(&schema.root, schema.main(), value) {
            fault(&format!("body {}", starred(&at)), "is not described".to_owned());
        }
    }

    /// Names of the query parameters that are no plain text.
    pub(super) fn typed_queries(&self) -> impl Iterator<Item = &str> {
        self.params
            .iter()
            .filter(|param| param.place == "query" && param.kind().is_some_and(|kind| kind != "string"))
            .map(|p| p.name.as_str())
    }

    pub(super) fn is_list_of_texts(&self, name: &str) -> bool {
        let main = |param: &Param| resolved(&param.schema.root, param.schema.main()).clone();
        let free = |items: &Value| items["type"] == "string" && items.get("enum").is_none();
        self.params.iter().any(|param| param.place == "query" && param.name == name && free(&main(param)["items"]))
    }

    pub(super) fn needed_headers(&self) -> BTreeSet<&str> {
        let params = self.params.iter().filter(|param| param.place == "header" && param.required).map(|param| param.name.as_str());
        params.chain(self.credentials.iter().map(|(header, _)| header.as_str())).collect()
    }

    pub(super) fn needed_queries(&self) -> impl Iterator<Item = &str> {
        self.params.iter().filter(|param| param.place == "query" && param.required).map(|param| param.name.as_str())
    }

    /// The top fields of the body that must be there.
    pub(super) fn needed_fields(&self, media: &str) -> Vec<String> {
        let Some(schema) = self.body.as_ref().and_then(|body| body.media.get(media)) else { return Vec::new() };
        let main = resolved(&schema.root, schema.main());
        main["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

impl Param {
    fn read(root: &Value, param: &Value) -> Result<Self> {
        let text = |key: &str| param[key].as_str().map(str::to_owned);
        let place = text("in").context("a parameter without a place")?;
        let name = text("name").context("a parameter without a name")?;
        let joined = param["explode"] == false;
        let schema = Schema::cut(root, &param["schema"]).with_context(|| format!("parameter {name}"))?;
        let name = if place == "header" { name.to_lowercase() } else { name };
        Ok(Self { required: param["required"] == true, joined, schema, place, name })
    }

    fn kind(&self) -> Option<&str> {
        let main = resolved(&self.schema.root, self.schema.main());
        main["type"].as_str().or_else(|| main["type"].get(0).and_then(Value::as_str))
    }

    fn check(&self, given: &[(String, String)], faults: &mut Vec<Fault>) {
        let values: Vec<&str> = given.iter().filter(|(name, _)| *name == self.name).map(|(_, value)| value.as_str()).collect();
        let place = format!("{} {}", self.place, self.name);
        let Some(first) = values.first() else {
            if self.required {
                faults.push(Fault { place, what: "is missing".to_owned() });
            }
            return;
        };
        let main = resolved(&self.schema.root, self.schema.main());
        let value = match self.kind() {
            Some("array") if self.joined => first.split(',').map(|item| read(&main["items"], item)).collect(),
            Some("array") => values.iter().map(|item| read(&main["items"], item)).collect(),
            _ if values.len() > 1 => Value::from(values),
            _ => read(main, first),
        };
        faults.extend(self.schema.faults(&value).into_iter().map(|(_, what)| Fault { place: place.clone(), what }));
    }
}

impl Payload {
    fn read(root: &Value, body: &Value) -> Result<Self> {
        let content = body["content"].as_object().context("a body without content")?.iter();
        let media = content.map(|(media, content)| Ok((media.clone(), Schema::cut(root, &content["schema"])?))).collect::<Result<_>>()?;
        Ok(Self { required: body["required"] == true, media })
    }
}

/// Text of a URL as the value that the schema wants, if it is one.
fn read(schema: &Value, text: &str) -> Value {
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0).and_then(Value::as_str));
    match kind {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        _ => Value::from(text),
    }
}

fn resolved<'v>(root: &'v Value, value: &'v Value) -> &'v Value {
    value["$ref"].as_str().and_then(|pointer| root.pointer(pointer.trim_start_matches('#'))).unwrap_or(value)
}

/// The headers that show who asks, by the first of the ways that the description allows.
fn credentials(root: &Value, operation: &Value) -> Vec<(String, Option<String>)> {
    let ways = operation.get("security").or_else(|| root.get("security")).and_then(|ways| ways.get(0)).and_then(Value::as_object);
    let schemes = ways.into_iter().flat_map(|ways| ways.keys()).map(|name| &root["components"]["securitySchemes"][name]);
    schemes
        .filter_map(|scheme| match scheme["type"].as_str()? {
            "http" => Some(("authorization".to_owned(), scheme["scheme"].as_str().map(str::to_owned))),
            "apiKey" if scheme["in"] == "header" => Some((scheme["name"].as_str()?.to_lowercase(), None)),
            _ => None,
        })
        .collect()
}

fn starred(pointer: &str) -> String {
    let steps = pointer.split('/').map(|step| if !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()) { "*" } else { step });
    steps.collect::<Vec<_>>().join("/")
}
