//! Strict queries for every route, from the document: a key that the route does not name is an error, also where the route takes no query at
//! all. Routes that take one check its values themselves.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri};
use serde_json::Value;

use crate::extract::Caller;
use crate::problem::Problem;

/// The query keys of each operation.
#[derive(Clone, Default)]
pub(crate) struct Queries(Arc<HashMap<(Method, String), BTreeSet<String>>>);

impl Queries {
    pub(crate) fn of(document: &Value) -> Self {
        let mut all = HashMap::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
                let parameters = operation["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "query");
                let names = parameters.filter_map(|p| p["name"].as_str()).map(str::to_owned).collect();
                all.insert((method, path.clone()), names);
            }
        }
        Self(Arc::new(all))
    }
}

/// Only for those who showed a key: the others are told so first, and what a vendor sends a browser back with is the vendor's.
pub(crate) async fn layer(State(queries): State<Queries>, request: Request, next: Next) -> Response {
    if request.uri().query().is_some()
        && Caller::of(request.extensions()).is_some()
        && let Some(path) = request.extensions().get::<MatchedPath>()
        && let Some(known) = queries.0.get(&(request.method().clone(), path.as_str().to_owned()))
        && let Some(unknown) = keys(request.uri()).find(|key| !known.contains(key))
    {
        let detail = format!("unknown parameter {unknown:?}; this route takes {}", listed(known));
        return Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail).into_response();
    }
    next.run(request).await
}

/// The keys of a query; none when it cannot be read, which the route then says.
fn keys(uri: &Uri) -> impl Iterator<Item = String> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).map(|pairs| pairs.0);
    pairs.unwrap_or_default().into_iter().map(|(key, _)| key)
}

fn listed(known: &BTreeSet<String>) -> String {
    if known.is_empty() { "none".to_owned() } else { known.iter().map(String::as_str).collect::<Vec<_>>().join(", ") }
}
