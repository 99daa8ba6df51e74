//! Carts: something to create, read and pay, each once.

use std::{collections::BTreeMap, sync::Mutex};

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    auth::Admitted,
    error::{JsonBody, LabError},
    routes::Endpoint,
    state::{Shared, lock},
};

/// Carts kept; beyond it the oldest is forgotten.
const CARTS_MAX: usize = 100_000;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "POST",
        path: "/api/carts",
        example: "/api/carts",
        doc: "a new cart from {sku, qty}",
        route: || post(create),
    },
    Endpoint { methods: "GET", path: "/api/carts/{id}", example: "/api/carts/1", doc: "a cart", route: || get(show) },
    Endpoint {
        methods: "POST",
        path: "/api/carts/{id}/pay",
        example: "/api/carts/1/pay",
        doc: "pays a cart; 409 where it is paid already",
        route: || post(pay),
    },
];

/// The carts there are, oldest first.
#[derive(Debug, Default)]
pub(super) struct Carts {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    last_id: u64,
    carts: BTreeMap<u64, Cart>,
}

#[derive(Debug, Clone, Serialize)]
struct Cart {
    id: u64,
    sku: Sku,
    qty: u32,
    status: &'static str,
}

/// What is bought, as the client writes it: a text or a number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Sku {
    Number(u64),
    Text(String),
}

#[derive(Debug, Deserialize)]
struct Order {
    sku: Sku,
    qty: u32,
}

impl Carts {
    pub(super) fn len(&self) -> usize {
        lock(&self.kept).carts.len()
    }

    pub(super) fn reset(&self) {
        *lock(&self.kept) = Kept::default();
    }

    fn add(&self, order: Order) -> Cart {
        let mut kept = lock(&self.kept);
        kept.last_id += 1;
        let cart = Cart { id: kept.last_id, sku: order.sku, qty: order.qty, status: "open" };
        kept.carts.insert(cart.id, cart.clone());
        if kept.carts.len() > CARTS_MAX {
            kept.carts.pop_first();
        }
        cart
    }
}

async fn create(
    _: Admitted,
    State(state): State<Shared>,
    JsonBody(order): JsonBody<Order>,
) -> Result<Response, LabError> {
    if !(1..=1_000).contains(&order.qty) {
        return Err(LabError::invalid("`qty` must be from 1 to 1000"));
    }
    if matches!(&order.sku, Sku::Text(text) if text.is_empty() || text.len() > 100) {
        return Err(LabError::invalid("`sku` has from 1 to 100 bytes"));
    }
    let cart = state.carts.add(order);
    let location = HeaderValue::from_str(&format!("/api/carts/{}", cart.id)).ok();
    let mut response = (StatusCode::CREATED, Json(cart)).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn unknown() -> LabError {
    LabError::not_found("there is no such cart")
}

async fn show(_: Admitted, State(state): State<Shared>, Path(id): Path<String>) -> Result<Json<Cart>, LabError> {
    let id: u64 = id.parse().map_err(|_| unknown())?;
    lock(&state.carts.kept).carts.get(&id).cloned().map(Json).ok_or_else(unknown)
}

async fn pay(_: Admitted, State(state): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>, LabError> {
    let id: u64 = id.parse().map_err(|_| unknown())?;
    let mut kept = lock(&state.carts.kept);
    let cart = kept.carts.get_mut(&id).ok_or_else(unknown)?;
    if cart.status == "paid" {
        return Err(LabError::new(StatusCode::CONFLICT, "already_paid", "the cart is paid already"));
    }
    cart.status = "paid";
    Ok(Json(json!({ "id": id, "status": "paid" })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_cart_gives_way() {
        let carts = Carts::default();
        for _ in 0..=CARTS_MAX {
            carts.add(Order { sku: Sku::Number(1), qty: 1 });
        }
        assert_eq!(carts.len(), CARTS_MAX);
        assert_eq!(lock(&carts.kept).carts.first_key_value().map(|(id, _)| *id), Some(2));
    }
}
