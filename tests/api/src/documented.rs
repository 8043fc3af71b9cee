//! What the OpenAPI document promises, held against every answer that a test sees: the status is one of its operation, the content type is
//! one of that status, and the headers that are promised are there.

use std::collections::BTreeSet;

use anyhow::ensure;
use crm_api::ApiState;
use http::Method;
use serde_json::Value;

use crate::client::Answer;

/// The document, ready for looking up operations by address.
pub(crate) struct Documented {
    document: Value,
}

impl Documented {
    pub(crate) fn new(state: &ApiState) -> Self {
        Self { document: crm_api::openapi_document(state.clone()) }
    }

    /// The operation at an address. Of several templates the one with the fewest parameters is meant, as in the router.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let wanted: Vec<&str> = template.split('/').collect();
            wanted.len() == parts.len() && wanted.iter().zip(&parts).all(|(w, p)| w == p || (w.starts_with('{') && !p.is_empty()))
        };
        let paths = self.document["paths"].as_object()?;
        let (_, item) = paths.iter().filter(|(template, _)| fits(template)).min_by_key(|(template, _)| template.matches('{').count())?;
        item.get(method.as_str().to_lowercase())
    }

    /// Fails when the answer is not foreseen. Addresses and methods without an operation have nothing to keep to.
    pub(crate) fn check(&self, method: &Method, path: &str, answer: &Answer) -> anyhow::Result<()> {
        let Some(operation) = self.operation(method, path) else { return Ok(()) };
        let what = format!("{method} {path} ({}) answered {}", operation["operationId"].as_str().unwrap_or_default(), answer.status);
        let response = self.resolved(&operation["responses"][answer.status.as_str()]);
        ensure!(response.is_object(), "{what}, which is not in the document: name it in the route's responses(...)\n{}", answer.text);
        let kind = answer.header("content-type").split(';').next().unwrap_or_default().to_owned();
        match response["content"].as_object() {
            Some(content) => ensure!(content.contains_key(&kind), "{what} as {kind:?}; the document says {:?}", content.keys()),
            None => ensure!(answer.text.is_empty(), "{what} with a body, and the document says that there is none"),
        }
        let promised: BTreeSet<&String> = response["headers"].as_object().into_iter().flat_map(|h| h.keys()).collect();
        for name in promised {
            let header = self.resolved(&response["headers"][name]);
            if header["required"] == true {
                ensure!(answer.headers.contains_key(name.as_str()), "{what} without the header {name}");
            }
        }
        Ok(())
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
            Some(pointer) => self.document.pointer(pointer).unwrap_or(&Value::Null),
            None => value,
        }
    }
}
