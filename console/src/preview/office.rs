//! Office documents as text and tables: Word, Excel and PowerPoint (ECMA-376), and OpenDocument. No formatting, pictures or
//! formulas: enough to see which version of a document it is. Everything in the file may be wrong; what can't be read
//! ends the document there.

use super::document::{Builder, Document};
use super::sheets;
use super::unzip::Archive;
use super::xml::{Piece, attribute, part, walk};

const SLIDES_MAX: usize = 300;

/// The document in these bytes; `None` if it is none of those that are known. `slide` is what a slide is called.
pub fn read(bytes: &[u8], slide: &dyn Fn(usize) -> String) -> Option<Document> {
    let zip = Archive::open(bytes)?;
    let has = |name: &str| zip.names().any(|known| known == name);
    if has("word/document.xml") {
        return word(&zip);
    }
    if has("xl/workbook.xml") {
        return sheets::excel(&zip);
    }
    if has("ppt/presentation.xml") {
        return slides(&zip, slide);
    }
    // Writers of OpenDocument put its kind first.
    let kind = zip.read("mimetype", 200)?;
    if kind.starts_with(b"application/vnd.oasis.opendocument.") {
        return open_document(&zip);
    }
    None
}

fn word(zip: &Archive<'_>) -> Option<Document> {
    let mut builder = Builder::default();
    let is_whole = drawn(&part(zip, "word/document.xml")?, &mut builder);
    Some(builder.finish(is_whole))
}

/// WordprocessingML and DrawingML name paragraphs, runs and tables alike.
fn drawn(xml: &str, builder: &mut Builder) -> bool {
    let (mut takes, mut is_heading) = (false, false);
    walk(xml, &mut |piece| {
        match piece {
            Piece::Open("t", _) => takes = true,
            Piece::Close("t") => takes = false,
            // Of a run; one that has a position is a setting of the paragraph.
            Piece::Open("tab", start) if attribute(start, "pos").is_none() => builder.text("\t"),
            Piece::Open("br" | "cr", _) => builder.text("\n"),
            Piece::Open("p", _) => is_heading = false,
            Piece::Open("pStyle", start) => {
                let style = attribute(start, "val").unwrap_or_default();
                is_heading = ["Heading", "Title", "heading"]
                    .iter()
                    .any(|name| style.starts_with(name));
            }
            Piece::Open("outlineLvl", _) => is_heading = true,
            Piece::Close("p") => builder.end_paragraph(is_heading),
            Piece::Open("tbl", _) => builder.open_table(),
            Piece::Close("tc") => builder.end_cell(1),
            Piece::Close("tr") => builder.end_row(),
            Piece::Close("tbl") => builder.end_table(),
            Piece::Text(text) if takes => builder.text(text),
            _ => {}
        }
        !builder.is_full()
    })
}

fn slides(zip: &Archive<'_>, title: &dyn Fn(usize) -> String) -> Option<Document> {
    let number = |name: &str| {
        let rest = name.strip_prefix("ppt/slides/slide")?;
        rest.strip_suffix(".xml")?.parse::<usize>().ok()
    };
    let mut numbers: Vec<usize> = zip.names().filter_map(number).collect();
    numbers.sort_unstable();
    let mut is_whole = numbers.len() <= SLIDES_MAX;
    let mut builder = Builder::default();
    for (nr, number) in numbers.into_iter().take(SLIDES_MAX).enumerate() {
        builder.heading(&title(nr + 1));
        let xml = part(zip, &format!("ppt/slides/slide{number}.xml"));
        is_whole &= xml.is_some_and(|xml| drawn(&xml, &mut builder));
        if builder.is_full() {
            break;
        }
    }
    Some(builder.finish(is_whole))
}

fn open_document(zip: &Archive<'_>) -> Option<Document> {
    let xml = part(zip, "content.xml")?;
    let mut builder = Builder::default();
    // Within a paragraph; within what is no part of the text.
    let (mut inside, mut hidden, mut repeat) = (0usize, 0usize, 1usize);
    let is_whole = walk(&xml, &mut |piece| {
        match piece {
            Piece::Open("annotation" | "tracked-changes", _) => hidden += 1,
            Piece::Close("annotation" | "tracked-changes") => hidden = hidden.saturating_sub(1),
            _ if hidden > 0 => {}
            Piece::Open("p" | "h", _) => inside += 1,
            Piece::Close(name @ ("p" | "h")) => {
                inside = inside.saturating_sub(1);
                builder.end_paragraph(name == "h");
            }
            Piece::Open("tab", _) if inside > 0 => builder.text("\t"),
            Piece::Open("line-break", _) => builder.text("\n"),
            Piece::Open("s", _) if inside > 0 => builder.text(" "),
            Piece::Open("page", start) => builder.heading(&attribute(start, "name").unwrap_or_default()),
            Piece::Open("table", start) => {
                let name = attribute(start, "name");
                if let Some(name) = name.filter(|_| builder.is_outside()) {
                    builder.heading(&name);
                }
                builder.open_table();
            }
            Piece::Open("table-cell" | "covered-table-cell", start) => {
                let times = attribute(start, "number-columns-repeated");
                repeat = times.and_then(|times| times.parse().ok()).unwrap_or(1);
            }
            Piece::Close("table-cell" | "covered-table-cell") => builder.end_cell(repeat),
            Piece::Close("table-row") => builder.end_row(),
            Piece::Close("table") => builder.end_table(),
            Piece::Text(text) if inside > 0 => builder.text(text),
            _ => {}
        }
        !builder.is_full()
    });
    Some(builder.finish(is_whole))
}

#[cfg(test)]
mod tests {
    use super::super::document::Block::{Heading, Paragraph, Table};
    use super::super::unzip::tests::archive;
    use super::*;

    fn slide(nr: usize) -> String {
        format!("Slide {nr}")
    }

    fn blocks(members: &[(&str, &str)]) -> Vec<super::super::document::Block> {
        let document = read(&archive(members), &slide).unwrap();
        assert!(!document.is_cut);
        document.blocks
    }

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| cell.to_string()).collect()
    }

    #[test]
    fn a_letter() {
        let xml = "<w:document><w:body>\
            <w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr><w:r><w:t>Rent &amp; more</w:t></w:r></w:p>\
            <w:p><w:r><w:t>Dear </w:t></w:r><w:r><w:t xml:space='preserve'>all &#x65E5;</w:t><w:tab/><w:t>x</w:t></w:r>\
            <w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>\
            <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc>\
            <w:tc><w:p/></w:tc></w:tr>\
            <w:tr><w:tc><w:p><w:r><w:t>1</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>2</w:t></w:r></w:p></w:tc></w:tr>\
            </w:tbl><w:p><w:r><w:t>&lt;script&gt;</w:t></w:r></w:p></w:body></w:document>";
        assert_eq!(
            blocks(&[("word/document.xml", xml)]),
            [
                Heading("Rent & more".into()),
                Paragraph("Dear all 日\tx".into()),
                Table(vec![row(&["a\nb", ""]), row(&["1", "2"])]),
                Paragraph("<script>".into()),
            ]
        );
    }

    #[test]
    fn slides_in_order() {
        let of = |text: &str| format!("<p:sld><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>");
        let (second, tenth) = (of("two"), of("ten"));
        let members = [
            ("ppt/presentation.xml", ""),
            ("ppt/slides/slide10.xml", tenth.as_str()),
            ("ppt/slides/slide2.xml", second.as_str()),
            ("ppt/slides/_rels/slide2.xml.rels", ""),
        ];
        assert_eq!(
            blocks(&members),
            [
                Heading("Slide 1".into()),
                Paragraph("two".into()),
                Heading("Slide 2".into()),
                Paragraph("ten".into()),
            ]
        );
    }

    #[test]
    fn open_documents() {
        let xml = "<office:body><text:h>T</text:h><text:p>a<text:tab/>b<office:annotation><text:p>no</text:p>\
            </office:annotation></text:p><table:table table:name='S'><table:table-row>\
            <table:table-cell table:number-columns-repeated='2'><text:p>x</text:p></table:table-cell>\
            <table:table-cell table:number-columns-repeated='16000'/></table:table-row></table:table></office:body>";
        let kind = "application/vnd.oasis.opendocument.text";
        assert_eq!(
            blocks(&[("mimetype", kind), ("content.xml", xml)]),
            [
                Heading("T".into()),
                Paragraph("a\tb".into()),
                Heading("S".into()),
                Table(vec![row(&["x", "x"])]),
            ]
        );
    }

    #[test]
    fn what_is_too_large_or_broken_is_cut() {
        let many = "<w:p><w:t>word </w:t></w:p>".repeat(200_000);
        let document = read(&archive(&[("word/document.xml", &many)]), &slide).unwrap();
        assert!(document.is_cut && document.blocks.len() <= 20_000);
        let broken = "<w:p><w:t>start</w:t></w:p><w:p><w:t";
        let document = read(&archive(&[("word/document.xml", broken)]), &slide).unwrap();
        assert!(document.is_cut && document.blocks == [Paragraph("start".into())]);
        // An entity that would grow without end is not followed.
        let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><w:p><w:t>x&b;y</w:t></w:p>";
        assert_eq!(blocks(&[("word/document.xml", bomb)]), [Paragraph("xy".into())]);
        assert!(read(b"PK\x03\x04 nothing", &slide).is_none());
        assert!(read(&archive(&[("a", "b")]), &slide).is_none());
    }
}
