//! What can't be accepted from a caller of the storage.

use super::tree::tree_fault;
use super::url::url_fault;
use crate::catalogue::{Lang, say};
use engine::error::store::{Invalid, PhraseFault, ZstdCall};
use engine::key::Cost;

pub(super) fn invalid(lang: Lang, invalid: &Invalid) -> String {
    match invalid {
        Invalid::ChunkerBounds { min, avg, max } => say!(
            lang,
            "invalid chunker bounds: {min}, {avg} and {max} bytes",
            "チャンカーの境界が不正です: {min}、{avg}、{max} バイト"
        ),
        Invalid::TooManyKeys => say!(
            lang,
            "invalid object: too many keys",
            "オブジェクトが不正です: 鍵が多すぎます"
        ),
        Invalid::PlaintextTooLong => say!(
            lang,
            "invalid plaintext: too long to seal",
            "平文が不正です: 長すぎて封印できません"
        ),
        Invalid::ManifestTooLong { bytes } => say!(
            lang,
            "invalid manifest: {bytes} bytes are too many",
            "マニフェストが不正です: {bytes} バイトは長すぎます"
        ),
        Invalid::SlotLabelTooLong => say!(
            lang,
            "invalid key label: it is too long",
            "鍵のラベルが不正です: 長すぎます"
        ),
        Invalid::Argon2Cost(cost) => argon2_cost(lang, cost),
        Invalid::Argon2(detail) => argon2(lang, detail),
        Invalid::Parity { percent, bytes } => parity(lang, *percent, *bytes),
        Invalid::ParityCode(detail) => parity_code(lang, detail),
        Invalid::Zstd { call, detail } => zstd(lang, *call, detail),
        Invalid::Phrase(fault) => {
            let why = phrase_fault(lang, fault);
            say!(
                lang,
                "invalid recovery phrase: {why}",
                "回復フレーズが不正です: {why}"
            )
        }
        Invalid::KeyFile => say!(
            lang,
            "invalid key file: it is not a dedup key file",
            "鍵ファイルが不正です: dedup の鍵ファイルではありません"
        ),
        Invalid::Url(fault) => {
            let why = url_fault(lang, fault);
            say!(
                lang,
                "invalid repository URL: {why}",
                "リポジトリーの URL が不正です: {why}"
            )
        }
        Invalid::Tree { path, part, fault } => tree(lang, path.as_deref(), tree_fault(lang, *part, *fault)),
    }
}

fn tree(lang: Lang, path: Option<&[u8]>, why: String) -> String {
    match path.map(String::from_utf8_lossy) {
        Some(path) => say!(
            lang,
            "invalid entry {path}: {why}",
            "項目 {path} が不正です: {why}"
        ),
        None => say!(lang, "invalid tree: {why}", "ツリーが不正です: {why}"),
    }
}

fn zstd(lang: Lang, call: ZstdCall, detail: &str) -> String {
    match call {
        ZstdCall::SetUp => say!(
            lang,
            "zstd can't be set up: {detail}",
            "zstd を準備できません: {detail}"
        ),
        ZstdCall::Compress => say!(
            lang,
            "zstd can't compress: {detail}",
            "zstd で圧縮できません: {detail}"
        ),
    }
}

fn phrase_fault(lang: Lang, fault: &PhraseFault) -> String {
    match fault {
        PhraseFault::UnknownWord { number, word } => say!(
            lang,
            "word {number}, '{word}', is not one that recovery phrases are made of",
            "{number} 番目の単語「{word}」は回復フレーズに使われない単語です"
        ),
        PhraseFault::WordCount { found, wanted } => say!(
            lang,
            "it has {found} words instead of {wanted}",
            "単語が {wanted} 個ではなく {found} 個あります"
        ),
        PhraseFault::Checksum => say!(
            lang,
            "a word is wrong or in the wrong place: its check fails",
            "単語か、その順序が間違っています。照合に失敗しました"
        ),
        PhraseFault::Library(detail) => detail.clone(),
    }
}

fn argon2_cost(lang: Lang, cost: &Cost) -> String {
    let (kib, passes, lanes) = (cost.memory_kib, cost.passes, cost.lanes);
    say!(
        lang,
        "invalid Argon2 cost: {kib} KiB, {passes} passes and {lanes} lanes are out of range",
        "Argon2 のコストが範囲外です: {kib} KiB、パス {passes}、レーン {lanes}"
    )
}

fn argon2(lang: Lang, detail: &str) -> String {
    say!(
        lang,
        "invalid Argon2 parameters: {detail}",
        "Argon2 のパラメーターが不正です: {detail}"
    )
}

fn parity(lang: Lang, percent: u8, bytes: usize) -> String {
    say!(
        lang,
        "invalid parity: {percent} percent of {bytes} bytes",
        "パリティーが不正です: {bytes} バイトの {percent} パーセント"
    )
}

fn parity_code(lang: Lang, detail: &str) -> String {
    say!(lang, "invalid parity: {detail}", "パリティーが不正です: {detail}")
}
