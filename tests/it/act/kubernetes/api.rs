//! A small API server in the way of Kubernetes: objects with versions, dry runs, preconditions, evictions and lists, and the faults that a test
//! asks for. It writes down every request. What it answers to good requests has the form that a real one was seen to answer with.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::server;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A status and a body, and nothing is done.
    Says(u16, String),
    /// It is done, and then it says this.
    DoneAndSays(u16, String),
    /// Nothing is done, and nothing is said for a while.
    Hangs,
    /// It is done, and nothing is said for a while.
    DoneAndHangs,
    Cut,
    DoneAndCut,
    /// A good status, then bytes without end.
    Endless,
    /// As if somebody else had written just before.
    RacedBy,
}

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Got {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Value,
    pub authorization: Option<String>,
}

impl Got {
    pub fn is_dry(&self) -> bool {
        self.query.contains("dryRun=All") || self.body["dryRun"] == json!(["All"])
    }
}

/// What a server answers a request with.
pub type Respond = fn(&mut State, &Got) -> (u16, Value);

#[derive(Debug, Default)]
pub struct State {
    pub objects: BTreeMap<String, Value>,
    version: u64,
    got: Vec<Got>,
    /// By method and by whether it is a dry run.
    faults: Vec<(String, bool, Fault)>,
    /// Evictions that a budget refuses before it allows one.
    budget: usize,
}

#[derive(Clone, Debug)]
pub struct Api {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    respond: Respond,
}

impl Api {
    pub fn start(objects: &[(&str, Value)]) -> Self {
        Self::start_as(objects, kubernetes)
    }

    pub fn start_as(objects: &[(&str, Value)], respond: Respond) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = Self { address: listener.local_addr().unwrap(), state: Arc::default(), respond };
        for (path, object) in objects {
            api.put(path, object.clone());
        }
        let server = api.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        api
    }

    pub fn put(&self, path: &str, mut object: Value) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        state.objects.insert(path.to_owned(), object);
    }

    pub fn remove(&self, path: &str) {
        self.state.lock().unwrap().objects.remove(path);
    }

    pub fn object(&self, path: &str) -> Option<Value> {
        self.state.lock().unwrap().objects.get(path).cloned()
    }

    pub fn annotation(&self, path: &str, key: &str) -> Option<String> {
        self.object(path)?["metadata"]["annotations"][key].as_str().map(str::to_owned)
    }

    pub fn fail(&self, method: &str, is_dry: bool, fault: Fault) {
        self.state.lock().unwrap().faults.push((method.to_owned(), is_dry, fault));
    }

    pub fn mend(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    pub fn keep_pods(&self, evictions: usize) {
        self.state.lock().unwrap().budget = evictions;
    }

    pub fn got(&self) -> Vec<Got> {
        self.state.lock().unwrap().got.clone()
    }

    /// What was really written, as method and path.
    pub fn writes(&self) -> Vec<String> {
        let is_write = |got: &&Got| got.method != "GET" && !got.is_dry();
        self.got().iter().filter(is_write).map(|got| format!("{} {}", got.method, got.path)).collect()
    }

    fn serve(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let Some(got) = read(&mut stream) else { return };
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.got.push(got.clone());
            let found = state.faults.iter().find(|(method, is_dry, _)| *method == got.method && *is_dry == got.is_dry());
            found.map(|(_, _, fault)| fault.clone())
        };
        let slow = || thread::sleep(Duration::from_secs(8));
        let (status, body) = match fault {
            Some(Fault::Says(status, body)) => (status, body),
            Some(Fault::DoneAndSays(status, body)) => {
                self.answer(&got);
                (status, body)
            }
            Some(Fault::Hangs) => return slow(),
            Some(Fault::DoneAndHangs) => {
                self.answer(&got);
                return slow();
            }
            Some(Fault::Cut) => return,
            Some(Fault::DoneAndCut) => {
                self.answer(&got);
                return;
            }
            Some(Fault::Endless) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
                while stream.write_all(&[b' '; 16_384]).is_ok() {}
                return;
            }
            Some(Fault::RacedBy) => {
                let object = self.object(&got.path);
                if let Some(object) = object {
                    self.put(&got.path, object);
                }
                self.answer(&got)
            }
            None => self.answer(&got),
        };
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    }

    fn answer(&self, got: &Got) -> (u16, String) {
        let (status, body) = (self.respond)(&mut self.state.lock().unwrap(), got);
        (status, body.to_string())
    }
}

fn kubernetes(state: &mut State, got: &Got) -> (u16, Value) {
    match got.method.as_str() {
        "GET" => get(state, got),
        "PATCH" => patch(state, got),
        "DELETE" => delete(state, got),
        "POST" => evict(state, got),
        _ => failure(405, "MethodNotAllowed", "the server does not allow this method"),
    }
}

pub fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    (
        code,
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code }),
    )
}

fn get(state: &State, got: &Got) -> (u16, Value) {
    if let Some(object) = state.objects.get(&got.path) {
        return (200, object.clone());
    }
    let is_list = ["/pods", "/replicasets"].iter().any(|end| got.path.ends_with(end));
    if !is_list {
        return failure(404, "NotFound", "not found");
    }
    let kind = got.path.rsplit('/').next().unwrap_or_default();
    let is_in = |path: &&String| path.contains(&format!("/{kind}/"));
    let items: Vec<&Value> = state.objects.iter().filter(|(path, _)| is_in(path)).map(|(_, object)| object).collect();
    (200, json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "1" }, "items": items }))
}

/// What is wrong with a write's preconditions.
fn conflict(object: &Value, uid: &Value, version: &Value) -> Option<(u16, Value)> {
    let meta = &object["metadata"];
    let differs = |is: &Value, wanted: &Value| !wanted.is_null() && is != wanted;
    let message = "the object has been modified; please apply your changes to the latest version and try again";
    (differs(&meta["uid"], uid) || differs(&meta["resourceVersion"], version)).then(|| failure(409, "Conflict", message))
}

fn patch(state: &mut State, got: &Got) -> (u16, Value) {
    let Some(mut object) = state.objects.get(&got.path).cloned() else { return failure(404, "NotFound", "not found") };
    if let Some(conflict) = conflict(&object, &got.body["metadata"]["uid"], &got.body["metadata"]["resourceVersion"]) {
        return conflict;
    }
    merge(&mut object, &got.body);
    if !got.is_dry() {
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        state.objects.insert(got.path.clone(), object.clone());
    }
    (200, object)
}

/// As a strategic merge patch: null removes, `$patch: replace` replaces, containers are known by their names.
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        if let (Value::Array(items), Value::Array(wanted)) = (&mut *object, patch) {
            for one in wanted {
                match items.iter_mut().find(|item| item["name"] == one["name"]) {
                    Some(item) => merge(item, one),
                    None => items.push(one.clone()),
                }
            }
        } else {
            *object = patch.clone();
        }
        return;
    };
    if !object.is_object() || members.get("$patch").is_some_and(|way| way == "replace") {
        *object = json!({});
    }
    for (key, value) in members.iter().filter(|(key, _)| *key != "$patch") {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut object[key.as_str()], value);
        }
    }
}

fn delete(state: &mut State, got: &Got) -> (u16, Value) {
    let Some(mut object) = state.objects.get(&got.path).cloned() else { return failure(404, "NotFound", "not found") };
    let wanted = &got.body["preconditions"];
    if let Some(conflict) = conflict(&object, &wanted["uid"], &wanted["resourceVersion"]) {
        return conflict;
    }
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    if !got.is_dry() {
        state.objects.insert(got.path.clone(), object.clone());
    }
    (200, object)
}

fn evict(state: &mut State, got: &Got) -> (u16, Value) {
    let Some(path) = got.path.strip_suffix("/eviction") else { return failure(404, "NotFound", "not found") };
    let Some(object) = state.objects.get(path).cloned() else { return failure(404, "NotFound", "not found") };
    if let Some(conflict) = conflict(&object, &got.body["deleteOptions"]["preconditions"]["uid"], &Value::Null) {
        return conflict;
    }
    if state.budget > 0 {
        state.budget -= usize::from(!got.is_dry());
        return failure(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.");
    }
    if !got.is_dry() {
        state.objects.remove(path);
    }
    (201, json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 }))
}

/// What came, taken apart.
fn read(stream: &mut TcpStream) -> Option<Got> {
    let got = server::read(stream)?;
    let mut line = got.line.split(' ');
    let (method, target) = (line.next()?.to_owned(), line.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = if got.body.is_empty() { Value::Null } else { serde_json::from_slice(&got.body).unwrap() };
    let authorization = got.header("authorization").map(str::to_owned);
    Some(Got { method, path: path.to_owned(), query: query.to_owned(), body, authorization })
}
