//! What every store must do, as one test function: an engine under backtest (memory) and under the daemon (disk) must not see a difference.

use super::{Change, Kind, MAX_KEY_BYTES, MAX_RECORD_BYTES, Record, Store, StoreError};

fn records(store: &dyn Store, kind: Kind) -> Vec<(String, Vec<u8>)> {
    let loaded = store.load(kind).unwrap();
    assert_eq!(loaded.damage, []);
    loaded.records.into_iter().map(|Record { key, bytes }| (key, bytes)).collect()
}

/// `store` must be empty and new.
pub fn holds_for(store: &dyn Store) {
    for kind in Kind::ALL {
        assert_eq!(records(store, kind), []);
    }
    // Sizes around nothing, one piece and many; keys of which one begins with the other.
    let big: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let stats = store
        .checkpoint(vec![
            Change::put(Kind::Blocks, "disk/10", big.clone()),
            Change::put(Kind::Blocks, "disk/1", vec![7; 6_144]),
            Change::put(Kind::Blocks, "", Vec::new()),
            Change::put(Kind::Cursors, "disk/1", b"cursor".to_vec()),
        ])
        .unwrap();
    assert_eq!((stats.generation, stats.puts, stats.deletes, stats.payload_bytes), (1, 4, 0, 3_006_150));
    let blocks = vec![(String::new(), vec![]), ("disk/1".to_owned(), vec![7; 6_144]), ("disk/10".to_owned(), big)];
    assert_eq!(records(store, Kind::Blocks), blocks);
    assert_eq!(records(store, Kind::Cursors), [("disk/1".to_owned(), b"cursor".to_vec())]);
    assert_eq!(records(store, Kind::Meta), []);
    assert!(store.size_on_disk_bytes().unwrap() > 3_000_000);

    // Shorter and longer than before, deleted, deleted though absent, put twice in one batch.
    let stats = store
        .checkpoint(vec![
            Change::put(Kind::Blocks, "disk/10", vec![1, 2, 3]),
            Change::put(Kind::Blocks, "", vec![9; 100_000]),
            Change::delete(Kind::Blocks, "disk/1"),
            Change::delete(Kind::Meta, "never there"),
            Change::put(Kind::Meta, "twice", vec![1]),
            Change::put(Kind::Meta, "twice", vec![2]),
            Change::put(Kind::Meta, "put and deleted", vec![3]),
            Change::delete(Kind::Meta, "put and deleted"),
        ])
        .unwrap();
    assert_eq!((stats.generation, stats.puts, stats.deletes, stats.payload_bytes), (2, 3, 1, 100_004));
    let blocks = [(String::new(), vec![9; 100_000]), ("disk/10".to_owned(), vec![1, 2, 3])];
    assert_eq!(records(store, Kind::Blocks), blocks);
    assert_eq!(records(store, Kind::Meta), [("twice".to_owned(), vec![2])]);

    // What is refused changes nothing, not even its fine half.
    let long = "k".repeat(MAX_KEY_BYTES + 1);
    let refused = store.checkpoint(vec![Change::put(Kind::Meta, "fine", vec![]), Change::put(Kind::Meta, long, vec![])]);
    assert!(matches!(refused, Err(StoreError::KeyTooLong { .. })));
    let huge = Change::put(Kind::Meta, "huge", vec![0; MAX_RECORD_BYTES + 1]);
    assert!(matches!(store.checkpoint(vec![huge]), Err(StoreError::RecordTooLarge { .. })));
    assert_eq!(records(store, Kind::Meta), [("twice".to_owned(), vec![2])]);

    let longest = "k".repeat(MAX_KEY_BYTES);
    assert_eq!(store.checkpoint(vec![Change::put(Kind::Meta, longest.clone(), vec![5])]).unwrap().generation, 3);
    assert_eq!(records(store, Kind::Meta), [(longest, vec![5]), ("twice".to_owned(), vec![2])]);
    assert_eq!(store.checkpoint(Vec::new()).unwrap().generation, 4);
}
