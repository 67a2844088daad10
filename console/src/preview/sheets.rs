//! Excel workbooks as tables, one for each sheet: values as they were last computed, and dates as dates.

use super::document::{Builder, Document};
use super::unzip::Archive;
use super::xml::{Piece, attribute, part, walk};
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Unit};
use std::collections::HashMap;

const SHEETS_MAX: usize = 20;
const STRINGS_MAX: usize = 200_000;
const SECS_OF_DAY: f64 = 86_400.0;

/// What its numbers are, for the styles that say so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Style {
    Plain,
    Date,
    Time,
    DateTime,
}

pub(super) fn excel(zip: &Archive<'_>) -> Option<Document> {
    let (sheets, since_1904) = sheets(zip)?;
    let strings = part(zip, "xl/sharedStrings.xml").map(|xml| strings(&xml));
    let book = Workbook {
        strings: strings.unwrap_or_default(),
        styles: part(zip, "xl/styles.xml")
            .map(|xml| styles(&xml))
            .unwrap_or_default(),
        first: match since_1904 {
            true => Date::constant(1904, 1, 1),
            // Excel has a 29 February 1900, so its first of March is day 61.
            false => Date::constant(1899, 12, 30),
        },
    };
    let mut is_whole = sheets.len() <= SHEETS_MAX;
    let mut builder = Builder::default();
    for (name, path) in sheets.into_iter().take(SHEETS_MAX) {
        builder.heading(&name);
        let xml = part(zip, &path);
        is_whole &= xml.is_some_and(|xml| book.sheet(&xml, &mut builder));
        if builder.is_full() {
            break;
        }
    }
    Some(builder.finish(is_whole))
}

/// Names and parts of the sheets, and whether days are counted from 1904.
fn sheets(zip: &Archive<'_>) -> Option<(Vec<(String, String)>, bool)> {
    let mut targets = HashMap::new();
    walk(&part(zip, "xl/_rels/workbook.xml.rels")?, &mut |piece| {
        if let Piece::Open("Relationship", start) = piece
            && let (Some(id), Some(target)) = (attribute(start, "Id"), attribute(start, "Target"))
        {
            let path = match target.strip_prefix('/') {
                Some(whole) => whole.to_string(),
                None => format!("xl/{target}"),
            };
            targets.insert(id, path);
        }
        targets.len() < 1000
    });
    let (mut found, mut since_1904) = (Vec::new(), false);
    walk(&part(zip, "xl/workbook.xml")?, &mut |piece| {
        match piece {
            Piece::Open("workbookPr", start) => {
                since_1904 = attribute(start, "date1904").is_some_and(|text| text == "1" || text == "true");
            }
            Piece::Open("sheet", start) => {
                let path = attribute(start, "id").and_then(|id| targets.get(&id).cloned());
                found.extend(attribute(start, "name").zip(path));
            }
            _ => {}
        }
        found.len() <= SHEETS_MAX
    });
    Some((found, since_1904))
}

fn strings(xml: &str) -> Vec<String> {
    let (mut all, mut text) = (Vec::new(), String::new());
    let (mut takes, mut is_phonetic) = (false, false);
    walk(xml, &mut |piece| {
        match piece {
            // How the characters beside it are read.
            Piece::Open("rPh", _) => is_phonetic = true,
            Piece::Close("rPh") => is_phonetic = false,
            Piece::Open("t", _) => takes = !is_phonetic,
            Piece::Close("t") => takes = false,
            Piece::Close("si") => all.push(std::mem::take(&mut text)),
            Piece::Text(more) if takes => text.push_str(more),
            _ => {}
        }
        all.len() < STRINGS_MAX
    });
    all
}

/// What each cell format shows.
fn styles(xml: &str) -> Vec<Style> {
    let (mut own, mut all, mut is_inside) = (HashMap::new(), Vec::new(), false);
    walk(xml, &mut |piece| {
        match piece {
            Piece::Open("numFmt", start) => {
                own.extend(attribute(start, "numFmtId").zip(attribute(start, "formatCode")));
            }
            Piece::Open("cellXfs", _) => is_inside = true,
            Piece::Close("cellXfs") => is_inside = false,
            Piece::Open("xf", start) if is_inside => {
                let id = attribute(start, "numFmtId").unwrap_or_default();
                all.push(match own.get(&id) {
                    Some(code) => style_of(code),
                    None => built_in(id.parse().unwrap_or_default()),
                });
            }
            _ => {}
        }
        all.len() < 10_000
    });
    all
}

/// The formats that have no code of their own; those from 27 on are East Asian ones.
fn built_in(id: u32) -> Style {
    match id {
        14..=17 | 27..=31 | 36 | 50..=58 => Style::Date,
        18..=21 | 32..=35 | 45..=47 => Style::Time,
        22 => Style::DateTime,
        _ => Style::Plain,
    }
}

fn style_of(code: &str) -> Style {
    let mut plain = String::new();
    let (mut is_quoted, mut in_brackets) = (false, false);
    let mut chars = code.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => is_quoted = !is_quoted,
            '\\' | '_' | '*' => drop(chars.next()),
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            // The format of negative numbers.
            ';' => break,
            char if !is_quoted && !in_brackets => plain.push(char.to_ascii_lowercase()),
            _ => {}
        }
    }
    let (has_day, has_time) = (plain.contains(['y', 'd']), plain.contains(['h', 's']));
    match (has_day, has_time) {
        (true, true) => Style::DateTime,
        (true, false) => Style::Date,
        (false, true) => Style::Time,
        (false, false) => Style::Plain,
    }
}

struct Workbook {
    strings: Vec<String>,
    styles: Vec<Style>,
    /// Day 0.
    first: Date,
}

impl Workbook {
    fn sheet(&self, xml: &str, builder: &mut Builder) -> bool {
        let (mut text, mut takes, mut column) = (String::new(), false, 0);
        let (mut kind, mut style) = (String::new(), Style::Plain);
        builder.open_table();
        let is_whole = walk(xml, &mut |piece| {
            match piece {
                Piece::Open("row", _) => column = 0,
                Piece::Open("c", start) => {
                    column = attribute(start, "r")
                        .and_then(|cell| column_of(&cell))
                        .unwrap_or(column);
                    kind = attribute(start, "t").unwrap_or_default();
                    let number = attribute(start, "s").and_then(|nr| nr.parse::<usize>().ok());
                    let known = number.and_then(|nr| self.styles.get(nr));
                    style = known.copied().unwrap_or(Style::Plain);
                    text.clear();
                }
                Piece::Open("v" | "t", _) => takes = true,
                Piece::Close("v" | "t") => takes = false,
                Piece::Close("c") => {
                    let value = self.value(&kind, style, &text);
                    if !value.is_empty() {
                        builder.cell_at(column, &value);
                    }
                    column += 1;
                }
                Piece::Close("row") => builder.end_row(),
                Piece::Text(more) if takes => text.push_str(more),
                _ => {}
            }
            !builder.is_full()
        });
        builder.end_table();
        is_whole
    }

    fn value(&self, kind: &str, style: Style, text: &str) -> String {
        let number = text.parse::<f64>().ok();
        match (kind, number) {
            ("s", _) => {
                let place = text.parse::<usize>().ok();
                place
                    .and_then(|place| self.strings.get(place))
                    .cloned()
                    .unwrap_or_default()
            }
            ("b", _) => String::from(if text == "1" { "TRUE" } else { "FALSE" }),
            ("" | "n", Some(number)) if style != Style::Plain => {
                self.moment(number, style).unwrap_or_else(|| text.to_string())
            }
            _ => text.to_string(),
        }
    }

    fn moment(&self, days: f64, style: Style) -> Option<String> {
        if !(0.0..3_000_000.0).contains(&days) {
            return None;
        }
        let at: DateTime = self.first.at(0, 0, 0, 0);
        let at = at
            .checked_add(SignedDuration::from_secs_f64(days * SECS_OF_DAY))
            .ok()?;
        let at = at.round(Unit::Second).ok()?;
        let form = match style {
            Style::Plain => return None,
            Style::Date => "%Y-%m-%d",
            Style::Time => "%H:%M:%S",
            Style::DateTime => "%Y-%m-%d %H:%M",
        };
        Some(at.strftime(form).to_string())
    }
}

/// 27 of `AB12`.
fn column_of(cell: &str) -> Option<usize> {
    let letters = cell.bytes().take_while(u8::is_ascii_uppercase);
    let number = letters.take(4).fold(0usize, |number, letter| {
        number * 26 + usize::from(letter - b'A') + 1
    });
    number.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::super::document::Block::{Heading, Table};
    use super::super::office;
    use super::super::unzip::tests::archive;
    use super::*;

    #[test]
    fn a_workbook() {
        let members = [
            (
                "xl/workbook.xml",
                "<workbook><workbookPr/><sheets><sheet name='月' sheetId='1' r:id='rId7'/></sheets></workbook>",
            ),
            (
                "xl/_rels/workbook.xml.rels",
                "<Relationships><Relationship Id='rId7' Target='worksheets/sheet1.xml'/></Relationships>",
            ),
            (
                "xl/sharedStrings.xml",
                "<sst><si><t>month</t></si><si><r><t>東</t></r><r><t>京</t></r><rPh sb='0' eb='2'><t>とうきょう</t></rPh></si></sst>",
            ),
            (
                "xl/styles.xml",
                "<styleSheet><numFmts><numFmt numFmtId='170' formatCode='yyyy\"年\"m\"月\"'/></numFmts>\
                 <cellStyleXfs><xf numFmtId='14'/></cellStyleXfs>\
                 <cellXfs><xf numFmtId='0'/><xf numFmtId='170'/><xf numFmtId='22'/></cellXfs></styleSheet>",
            ),
            (
                "xl/worksheets/sheet1.xml",
                "<worksheet><sheetData><row r='1'><c r='A1' t='s'><v>0</v></c><c r='C1' t='s'><v>1</v></c></row>\
                 <row r='2'><c r='A2' s='1'><v>45992</v></c><c r='B2'><f>1+1</f><v>2.5</v></c><c r='C2' s='2'><v>45992.75</v></c>\
                 <c r='D2' t='inlineStr'><is><t>in &lt;line&gt;</t></is></c><c r='E2' t='b'><v>1</v></c></row></sheetData></worksheet>",
            ),
        ];
        let document = office::read(&archive(&members), &|_| String::new()).unwrap();
        let row = |cells: [&str; 5]| cells.map(String::from).to_vec();
        assert_eq!(
            document.blocks,
            [
                Heading("月".into()),
                Table(vec![
                    row(["month", "", "東京", "", ""]),
                    row(["2025-12-01", "2.5", "2025-12-01 18:00", "in <line>", "TRUE"]),
                ]),
            ]
        );
        assert!(!document.is_cut);
    }

    #[test]
    fn columns_and_formats() {
        assert_eq!(
            (column_of("A1"), column_of("AB12"), column_of("12")),
            (Some(0), Some(27), None)
        );
        for (code, want) in [
            ("General", Style::Plain),
            ("#,##0.00;[Red]-#,##0.00", Style::Plain),
            ("\"day\" 0", Style::Plain),
            ("yyyy-mm-dd", Style::Date),
            ("[h]:mm:ss", Style::Time),
            ("d.m.yy h:mm", Style::DateTime),
        ] {
            assert_eq!(style_of(code), want, "{code}");
        }
    }
}
