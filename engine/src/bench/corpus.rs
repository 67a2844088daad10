//! Made-up data to measure with: the same bytes on every machine.

/// Bytes that do not compress.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Bytes that compress about as source code does: words of a fixed list in a fixed random order.
pub fn text(seed: u64, len: usize) -> Vec<u8> {
    const WORDS: [&str; 32] = [
        "static ",
        "int ",
        "return ",
        "if (",
        ") {\n\t",
        "}\n",
        "struct ",
        "->",
        "unsigned ",
        "0x",
        "NULL",
        ";\n",
        "for (i = 0; ",
        "device",
        "buffer",
        "length",
        "error",
        "_init",
        "_exit",
        "(struct ",
        " *",
        ", ",
        " = ",
        " & ",
        "/* ",
        " */\n",
        "#define ",
        "EXPORT_SYMBOL",
        "lock",
        "page",
        "index",
        "\t\t",
    ];
    let mut out = Vec::with_capacity(len + 16);
    for byte in noise(seed, len) {
        if out.len() >= len {
            break;
        }
        out.extend_from_slice(WORDS[usize::from(byte & 31)].as_bytes());
        if byte >= 224 {
            out.extend_from_slice(format!("{byte}").as_bytes());
        }
    }
    out.truncate(len);
    out
}
