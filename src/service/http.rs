//! Metrics and health over HTTP.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::health::Health;
use crate::metrics::Metrics;

/// What the pages show.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The health.
    pub health: Arc<Health>,
}

/// Takes the port.
///
/// # Errors
/// It is in use, or not this machine's.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("{address} cannot be listened at: {error} ([metrics] listen = \"ADDRESS:PORT\")")
    })
}

/// Serves until the program ends.
pub async fn serve(listener: TcpListener, shown: Shown) {
    let pages = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(ready))
        .route("/startupz", get(started))
        .with_state(shown);
    if let Err(error) = axum::serve(listener, pages).await {
        tracing::error!(%error, "metrics and health are not served any more");
    }
}

async fn metrics(State(shown): State<Shown>) -> impl IntoResponse {
    shown.metrics.ready.set(i64::from(shown.health.obstacles().is_empty()));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shown.metrics.text())
}

async fn ready(State(shown): State<Shown>) -> (StatusCode, Json<Value>) {
    let obstacles = shown.health.obstacles();
    let reasons: Vec<Value> = obstacles
        .iter()
        .map(|(obstacle, why)| json!({ "reason": obstacle.name(), "detail": why }))
        .collect();
    match reasons.is_empty() {
        true => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        false => {
            let body = json!({ "status": "not ready", "reasons": reasons });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}

async fn started(State(shown): State<Shown>) -> (StatusCode, Json<Value>) {
    match shown.health.has_started() {
        true => (StatusCode::OK, Json(json!({ "status": "started" }))),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "starting" }))),
    }
}
