//! The committed fuzz corpora, run as a test: what was found once stays found.

use std::path::Path;
use wire::Options;
use wire::postgres::Postgres;

#[test]
fn the_postgres_corpus_holds_every_property() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/postgres");
    let options = Options::new(std::sync::Arc::default());
    let mut scripts = 0;
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let script = std::fs::read(entry.unwrap().path()).unwrap();
        wire::fuzz::hostile(&Postgres, &options, &script);
        scripts += 1;
    }
    assert!(scripts >= 20, "only {scripts} scripts in {}", corpus.display());
}
