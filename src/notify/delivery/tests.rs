//! Whole workers against real receivers.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::*;
use crate::notify::testing::{Answer, Fate, Folder, MemoryOutbox, Receiver, SECRET, answer, now, until};
use crate::notify::webhook::WebhookSettings;

struct Running {
    outbox: Arc<MemoryOutbox>,
    stats: Arc<TargetStats>,
    wake: watch::Sender<()>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// A worker whose pauses are as short as they can be.
fn start(settings: WebhookSettings, outbox: &Arc<MemoryOutbox>) -> Running {
    let (wake, shutdown) = (watch::Sender::new(()), watch::Sender::new(false));
    let stats = Arc::<TargetStats>::default();
    let worker = Worker {
        target: WebhookTarget::new(settings).unwrap(),
        outbox: outbox.clone(),
        clock: Arc::new(now),
        stats: stats.clone(),
        wake: wake.subscribe(),
        shutdown: shutdown.subscribe(),
        jitter: || 0.0,
        failures: 0,
    };
    Running { outbox: outbox.clone(), stats, wake, shutdown, task: tokio::spawn(worker.run()) }
}

impl Running {
    fn put(&self, target: &str, id: &str) {
        self.outbox.put(target, id, now());
        self.wake.send_replace(());
    }

    async fn stop(self) -> Duration {
        let start = Instant::now();
        self.shutdown.send_replace(true);
        self.task.await.unwrap();
        start.elapsed()
    }
}

#[tokio::test]
async fn one_id_on_every_try_and_the_order_is_kept() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|n, _| answer(if n < 2 { 500 } else { 200 })).await;
    for (i, id) in ["p1.0", "p1.1", "p2.0"].iter().enumerate() {
        outbox.put("ops", id, Timestamp::from_millis(now().as_millis() - 10 + i64::try_from(i).unwrap()));
    }
    let running = start(folder.settings_for("ops", &receiver), &outbox);
    until("all are delivered", || outbox.all(&Fate::Delivered)).await;
    assert_eq!(receiver.ids(), ["p1.0", "p1.0", "p1.0", "p1.1", "p2.0"]);
    for seen in receiver.seen() {
        assert_eq!(seen.verify(SECRET), Ok(()));
        assert_eq!(seen.body, format!("{{\"id\":\"{}\"}}", seen.id()), "the body changed on the way");
    }
    let row = outbox.row("ops", "p1.0");
    assert_eq!((row.event.attempts, row.error.unwrap().contains("500")), (2, true));
    let totals = running.stats.totals();
    assert_eq!((totals.attempts, totals.delivered, totals.failed, totals.dead, totals.failures_in_a_row), (5, 3, 2, 0, 0));
    assert!(now() - totals.last_delivered_at.unwrap() < Span::from_secs(10));
    assert!(running.stop().await < Duration::from_secs(1));
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_it_for_all_its_events() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|n, _| match n {
        0 => Answer { headers: vec![("retry-after", "1".into())], ..answer(429) },
        _ => answer(200),
    })
    .await;
    let running = start(folder.settings_for("ops", &receiver), &outbox);
    running.put("ops", "a.0");
    until("the first try", || outbox.row("ops", "a.0").event.attempts == 1).await;
    running.put("ops", "b.0");
    until("both are delivered", || outbox.all(&Fate::Delivered)).await;
    assert_eq!(receiver.ids(), ["a.0", "a.0", "b.0"]);
    let seen = receiver.seen();
    let pause = seen[1].at - seen[0].at;
    assert!(pause >= Duration::from_secs(1) && pause < Duration::from_secs(3), "{pause:?}");
}

#[tokio::test]
async fn a_stuck_target_delays_no_other() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let slow = Receiver::start(|_, _| Answer { delay: Duration::from_secs(60), ..answer(200) }).await;
    let fast = Receiver::start(|_, _| answer(200)).await;
    for i in 0..20 {
        outbox.put("slow", &format!("p{i}.0"), now());
        outbox.put("fast", &format!("p{i}.0"), now());
    }
    let (stuck, running) = (start(folder.settings_for("slow", &slow), &outbox), start(folder.settings_for("fast", &fast), &outbox));
    let begin = Instant::now();
    until("the fast one has all", || running.stats.totals().delivered == 20).await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!((slow.seen().len(), stuck.stats.totals().delivered), (1, 0));
}

#[tokio::test]
async fn gone_is_given_up_at_once_and_what_follows_is_still_sent() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|n, _| answer(if n == 0 { 410 } else { 200 })).await;
    outbox.put("ops", "a.0", now());
    outbox.put("ops", "b.0", now());
    let running = start(folder.settings_for("ops", &receiver), &outbox);
    until("the second is delivered", || outbox.row("ops", "b.0").fate == Fate::Delivered).await;
    assert!(matches!(outbox.row("ops", "a.0").fate, Fate::Dead { error } if error.contains("410")));
    assert_eq!((receiver.ids(), running.stats.totals().dead), (vec!["a.0".to_owned(), "b.0".to_owned()], 1));
}

#[tokio::test]
async fn an_event_that_never_passes_holds_the_others_up_only_for_its_first_tries() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|_, seen| answer(if seen.id() == "poison.0" { 500 } else { 200 })).await;
    outbox.put("ops", "poison.0", now() - Span::SECOND);
    outbox.put("ops", "a.0", now());
    outbox.put("ops", "b.0", now());
    let _running = start(folder.settings_for("ops", &receiver), &outbox);
    let done = |id| outbox.row("ops", id).fate == Fate::Delivered;
    until("the others are delivered", || done("a.0") && done("b.0")).await;
    let ids = receiver.ids();
    let tries = ids.iter().take_while(|id| *id == "poison.0").count();
    assert!(tries >= HOLD_ATTEMPTS as usize, "overtaken after {tries} tries: {ids:?}");
    assert!(matches!(outbox.row("ops", "poison.0").fate, Fate::Waiting { .. }), "it is still tried");
}

#[tokio::test]
async fn an_old_event_gets_its_try_and_is_given_up_when_that_fails() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|_, seen| answer(if seen.id() == "bad.0" { 500 } else { 200 })).await;
    outbox.put("ops", "good.0", now() - MAX_AGE - Span::DAY);
    outbox.put("ops", "bad.0", now() - MAX_AGE);
    let _running = start(folder.settings_for("ops", &receiver), &outbox);
    until("the bad one is dead", || matches!(outbox.row("ops", "bad.0").fate, Fate::Dead { .. })).await;
    assert_eq!(outbox.row("ops", "good.0").fate, Fate::Delivered);
    assert!(matches!(outbox.row("ops", "bad.0").fate, Fate::Dead { error } if error.ends_with("given up after 3d")));
    assert_eq!(receiver.ids(), ["good.0", "bad.0"]);
}

#[tokio::test]
async fn the_last_try_is_not_put_off_beyond_the_age_limit() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|_, _| Answer { headers: vec![("retry-after", "3600".into())], ..answer(503) }).await;
    let created_at = now() - MAX_AGE + Span::MINUTE;
    outbox.put("ops", "a.0", created_at);
    let _running = start(folder.settings_for("ops", &receiver), &outbox);
    until("the first try", || outbox.row("ops", "a.0").event.attempts == 1).await;
    assert_eq!(outbox.row("ops", "a.0").fate, Fate::Waiting { next: created_at + MAX_AGE });
}

#[tokio::test]
async fn what_the_outbox_could_not_write_is_written_later_and_not_sent_again() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|_, _| answer(200)).await;
    outbox.failing.store(3, SeqCst);
    outbox.put("ops", "a.0", now());
    outbox.put("ops", "b.0", now());
    let running = start(folder.settings_for("ops", &receiver), &outbox);
    until("both are delivered", || outbox.all(&Fate::Delivered)).await;
    assert_eq!((receiver.ids(), running.stats.totals().outbox_errors), (vec!["a.0".to_owned(), "b.0".to_owned()], 3));
}

#[tokio::test]
async fn an_outbox_that_cannot_write_at_all_stops_the_sending_and_not_the_shutdown() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|_, _| answer(200)).await;
    outbox.failing.store(usize::MAX, SeqCst);
    outbox.put("ops", "a.0", now());
    outbox.put("ops", "b.0", now());
    let running = start(folder.settings_for("ops", &receiver), &outbox);
    until("all tries are used", || running.stats.totals().outbox_errors == u64::from(WRITE_TRIES)).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(receiver.ids(), ["a.0"], "no request may follow one whose outcome is not written down, but after a pause");
    assert!(running.stop().await < Duration::from_secs(1));
}

#[tokio::test]
async fn a_shutdown_in_the_middle_ends_soon_and_the_next_start_sends_the_same_id_again() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|n, _| Answer { delay: Duration::from_secs(if n == 0 { 60 } else { 0 }), ..answer(200) }).await;
    let running = start(WebhookSettings { timeout: Span::MINUTE, ..folder.settings_for("ops", &receiver) }, &outbox);
    running.put("ops", "a.0");
    until("the request is there", || receiver.seen().len() == 1).await;
    let took = running.stop().await;
    assert!(took >= SHUTDOWN_GRACE && took < SHUTDOWN_GRACE + Duration::from_secs(1), "{took:?}");
    assert!(matches!(outbox.row("ops", "a.0").fate, Fate::Waiting { .. }));

    let _again = start(folder.settings_for("ops", &receiver), &outbox);
    until("it is delivered", || outbox.all(&Fate::Delivered)).await;
    assert_eq!(receiver.ids(), ["a.0", "a.0"]);
}

#[tokio::test]
async fn new_events_wake_an_idle_worker_but_do_not_hurry_a_failing_target() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let receiver = Receiver::start(|n, _| match n {
        0 => answer(200),
        _ => Answer { headers: vec![("retry-after", "3".into())], ..answer(503) },
    })
    .await;
    let running = start(folder.settings_for("ops", &receiver), &outbox);
    sleep(Duration::from_millis(100)).await;
    let begin = Instant::now();
    running.put("ops", "a.0");
    until("the idle worker sends it", || outbox.all(&Fate::Delivered)).await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());

    running.put("ops", "b.0");
    until("the second fails", || outbox.row("ops", "b.0").event.attempts == 1).await;
    for i in 0..50 {
        running.put("ops", &format!("c{i}.0"));
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.seen().len(), 2, "a target that fails is left alone for its pause");
    assert!(running.stop().await < Duration::from_secs(1), "the pause ends with the shutdown");
}

#[tokio::test]
async fn with_real_jitter_a_down_target_is_tried_now_and_then_and_recovers_by_itself() {
    let (folder, outbox) = (Folder::new(), Arc::new(MemoryOutbox::default()));
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let created_at = now();
    for i in 0..100 {
        outbox.put("ops", &format!("p{i}.0"), created_at);
    }
    let stats = Arc::<TargetStats>::default();
    let (wake, shutdown) = (watch::Sender::new(()), watch::Sender::new(false));
    let target = WebhookTarget::new(folder.settings("ops", &format!("http://{address}/hook"))).unwrap();
    let task = tokio::spawn(run_target(target, outbox.clone(), Arc::new(now), stats.clone(), wake.subscribe(), shutdown.subscribe()));
    sleep(Duration::from_secs(1)).await;
    let totals = stats.totals();
    assert!(totals.attempts >= 1 && totals.attempts <= 11 && totals.delivered == 0, "{totals:?}");
    assert_eq!(totals.attempts, totals.failures_in_a_row);
    let receiver = Receiver::start_at(address, |_, _| answer(200)).await;
    wake.send_replace(());
    until("all are delivered", || outbox.all(&Fate::Delivered)).await;
    assert_eq!(receiver.ids(), (0..100).map(|i| format!("p{i}.0")).collect::<Vec<_>>());
    assert_eq!(stats.totals().failures_in_a_row, 0);
    drop(shutdown);
    task.await.unwrap();
}
