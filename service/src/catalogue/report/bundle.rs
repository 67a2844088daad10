//! What is in a support bundle.

use crate::bundle::Report;
use crate::catalogue::{Lang, Noun, count, say};
use engine::units::{escape, format_bytes};

/// What the file README.txt of the bundle says.
pub fn readme(lang: Lang, files: &[(String, u64)], removed: u64) -> String {
    let mut text = say!(
        lang,
        "'dedup support-bundle' collected this on one machine, to help find a fault.\n",
        "これは、不具合を調べる人のために 'dedup support-bundle' が 1 台のコンピューターで集めたものです。\n"
    );
    for (name, bytes) in files {
        let bytes = format_bytes(*bytes);
        text += &format!("  {name}  {bytes}\n");
    }
    text + &blanked(lang, removed) + "\n"
}

/// What was taken out, and what is still in there.
fn blanked(lang: Lang, removed: u64) -> String {
    let values = count(lang, removed, Noun::Value);
    say!(
        lang,
        "Blanked: {values}: passwords, keys and tokens of settings, URLs and environment; commands and mail users as a \
         whole. Not blanked: names of this machine, of sets, sources, servers and recipients, and names of files with \
         problems. Look through it before you send it.",
        "取り除いた{values}: 設定、URL、環境変数のパスワード・鍵・トークンと、コマンドやメールのユーザー名の全体。\
         取り除いていないもの: このコンピューター、セット、対象、サーバー、宛先の名前と、問題のあったファイルの名前。\
         送る前に中を確かめてください。"
    )
}

/// What the command says.
pub fn written(lang: Lang, report: &Report) -> String {
    let path = escape(report.path.display().to_string().as_bytes());
    let mut text = say!(lang, "Wrote {path}:\n", "{path} を書きました:\n");
    for (name, bytes) in &report.files {
        let (name, bytes) = (escape(name.as_bytes()), format_bytes(*bytes));
        text += &format!("  {name}  {bytes}\n");
    }
    text + &blanked(lang, report.removed)
}
