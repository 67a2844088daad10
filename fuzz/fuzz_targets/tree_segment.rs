//! Pieces of a tree after their frame was opened: what decodes encodes to the same bytes, and a selection of all entries
//! is what decodes.
#![no_main]
use engine::tree;

libfuzzer_sys::fuzz_target!(|plain: &[u8]| {
    let selected = tree::select(plain, &mut |_, _| true);
    match tree::decode(plain) {
        Ok(runs) => {
            assert_eq!(tree::encode(&runs), plain);
            let found = selected.unwrap().found;
            let all = runs
                .iter()
                .flat_map(|run| run.entries.iter().map(|entry| (&run.dir, entry)));
            assert!(found.iter().map(|(dir, entry)| (dir, entry)).eq(all));
        }
        Err(_) => assert!(selected.is_err()),
    }
    let _ = tree::select(plain, &mut |_, _| false);
    let _ = tree::references(plain);
    let _ = tree::decode_extent_list(plain);
    let _ = tree::decode_page(plain);
});
