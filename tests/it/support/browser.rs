//! A real headless Chromium with one tab, spoken to over the two pipes of `--remote-debugging-pipe`: a line of JSON with a zero behind it.
//!
//! Not by chromedriver, which is one more package, nor by the WebSocket of `--remote-debugging-port`, which is one more crate. The pipes are
//! descriptors 3 and 4, which a shell gives it in place of its own input and output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::wait_until;

const PACKAGE: &str = "Debian's package chromium";
/// Longest time for one answer of the browser: it starts within seconds, also beside other tests.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time until something awaited is to be seen on a page.
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// See the module. Ended when dropped.
pub struct Browser {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    session: String,
    last_id: u64,
    /// Errors and warnings of the page's console, and what it threw.
    pub complaints: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a throwaway folder");
        let data = format!("--user-data-dir={}", profile.path().display());
        let mut child = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh"])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"])
            .args(["--hide-scrollbars", "--remote-debugging-pipe", &data, "about:blank"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start chromium: {error}\nhint: it comes with {PACKAGE}"));
        let mut output = BufReader::new(child.stdout.take().expect("its output is ours"));
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            while output.read_until(0, &mut bytes).is_ok_and(|read| read > 0) {
                bytes.pop();
                let Ok(message) = serde_json::from_slice(&bytes) else { break };
                if sender.send(message).is_err() {
                    break;
                }
                bytes.clear();
            }
        });
        let input = child.stdin.take();
        let mut browser = Self { child, input, messages, session: String::new(), last_id: 0, complaints: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }))["targetId"].take();
        let session = browser.call("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }))["sessionId"].take();
        session.as_str().expect("a session has a name").clone_into(&mut browser.session);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, &json!({}));
        }
        // Or a key meets nothing, since no window of a headless browser is in front.
        browser.call("Emulation.setFocusEmulationEnabled", &json!({ "enabled": true }));
        browser
    }

    /// A command and its result; what the page complained about meanwhile is kept.
    ///
    /// # Panics
    /// When the browser refuses it or says nothing.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.as_mut().expect("it is open until the end").write_all(&bytes).expect("the browser listens");
        loop {
            let mut answer = self.messages.recv_timeout(TIMEOUT).unwrap_or_else(|error| panic!("{method}: no answer: {error}"));
            if answer["id"] == self.last_id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, message: &Value) {
        let parameters = &message["params"];
        let is_bad = match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => true,
            "Runtime.consoleAPICalled" => ["error", "warning"].iter().any(|kind| parameters["type"] == *kind),
            "Log.entryAdded" => ["error", "warning"].iter().any(|level| parameters["entry"]["level"] == *level),
            _ => false,
        };
        if is_bad {
            self.complaints.push(parameters.to_string());
        }
    }

    /// Goes to a page. It is there when its body is: a page that has only begun to come has none, and may still be the old one.
    pub fn open(&mut self, url: &str) {
        let loader = self.call("Page.navigate", &json!({ "url": url }));
        assert!(loader["errorText"].is_null(), "open {url}: {}", loader["errorText"]);
        let is_there = format!("document.body !== null && document.readyState !== 'loading' && location.href.startsWith({url:?})");
        let there = wait_until(SEEN_WITHIN, || (self.value(&is_there) == true).then_some(()));
        assert!(there.is_some(), "{url} has never come: {}", self.value("location.href"));
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let mut answer = self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// All text that is to be seen.
    pub fn text(&mut self) -> String {
        self.value("document.body ? document.body.innerText : ''").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, what: &str, expression: &str) {
        let expression = format!("Boolean({expression})");
        let seen = wait_until(SEEN_WITHIN, || (self.value(&expression) == true).then_some(()));
        assert!(seen.is_some(), "never seen: {what}\n{}\n{:?}", self.text(), self.complaints);
    }

    /// A click of the mouse in the middle of the first element that a selector finds, where it is on the screen.
    pub fn click(&mut self, selector: &str) {
        let place = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center' }}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let at = self.value(&place);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Types into the field that has the focus, until it is there: a page that is still being drawn takes nothing.
    pub fn write(&mut self, text: &str) {
        let is_there = format!("document.activeElement.value === {text:?}");
        let written = wait_until(SEEN_WITHIN, || {
            self.call("Input.insertText", &json!({ "text": text }));
            (self.value(&is_there) == true).then_some(())
        });
        assert!(written.is_some(), "nothing takes the text {text:?}: {}", self.value("document.activeElement.outerHTML"));
    }

    pub fn press(&mut self, key: &str) {
        // Enter alone brings a character along, which is what submits forms.
        let text = if key == "Enter" { "\r" } else { "" };
        self.call(
            "Input.dispatchKeyEvent",
            &json!({ "type": "keyDown", "key": key, "code": key, "text": text, "windowsVirtualKeyCode": virtual_key(key) }),
        );
        self.call(
            "Input.dispatchKeyEvent",
            &json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": virtual_key(key) }),
        );
    }

    /// A window of so many pixels, by day or by night.
    pub fn look(&mut self, width: u32, height: u32, is_night: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if is_night { "dark" } else { "light" };
        self.call("Emulation.setEmulatedMedia", &json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }));
    }

    /// The whole page as PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let data = self.call("Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true }))["data"].take();
        BASE64_STANDARD.decode(data.as_str().unwrap_or_default()).expect("a picture comes as base64")
    }

    /// The picture in a file, for people: only where `PORTENT_PICTURES` names a folder.
    pub fn show(&mut self, name: &str) -> usize {
        let picture = self.picture();
        if let Some(folder) = std::env::var_os("PORTENT_PICTURES") {
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), &picture).expect("the folder can be written");
        }
        picture.len()
    }
}

fn virtual_key(key: &str) -> u32 {
    match key {
        "Enter" => 13,
        "Tab" => 9,
        _ => 0,
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its children end with it when the pipe closes; a kill alone would leave them.
        drop(self.input.take());
        if wait_until(Duration::from_secs(5), || self.child.try_wait().ok().flatten()).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
