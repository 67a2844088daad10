//! A document as a preview shows it: headings, paragraphs and tables, no larger than somebody reads.

/// Bytes of text.
const TEXT_MAX: usize = 300_000;
const BLOCKS_MAX: usize = 20_000;
/// Of one table.
const ROWS_MAX: usize = 500;
const COLUMNS_MAX: usize = 60;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Block {
    Heading(String),
    Paragraph(String),
    Table(Vec<Vec<String>>),
}

/// What was made of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Document {
    pub blocks: Vec<Block>,
    /// There is more.
    pub is_cut: bool,
}

/// Collects a document from its beginning on.
#[derive(Default)]
pub struct Builder {
    document: Document,
    text: String,
    table: Vec<Vec<String>>,
    row: Vec<String>,
    /// Tables within tables; only the outermost is one here.
    depth: usize,
    size: usize,
}

impl Builder {
    /// Nothing more is taken.
    pub fn is_full(&self) -> bool {
        self.document.is_cut
    }

    /// Of every table.
    pub fn is_outside(&self) -> bool {
        self.depth == 0
    }

    pub fn text(&mut self, text: &str) {
        if self.size + text.len() > TEXT_MAX {
            self.document.is_cut = true;
            return;
        }
        self.size += text.len();
        self.text.push_str(text);
    }

    fn push(&mut self, block: Block) {
        match self.document.blocks.len() < BLOCKS_MAX {
            true => self.document.blocks.push(block),
            false => self.document.is_cut = true,
        }
    }

    /// Within a cell, the next line.
    pub fn end_paragraph(&mut self, is_heading: bool) {
        if self.depth > 0 {
            if !self.text.is_empty() && !self.text.ends_with('\n') {
                self.text.push('\n');
            }
            return;
        }
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            self.push(match is_heading {
                true => Block::Heading(text),
                false => Block::Paragraph(text),
            });
        }
    }

    pub fn heading(&mut self, text: &str) {
        self.end_paragraph(false);
        self.text(text);
        self.end_paragraph(true);
    }

    pub fn open_table(&mut self) {
        if self.depth == 0 {
            self.end_paragraph(false);
        }
        self.depth += 1;
    }

    pub fn end_cell(&mut self, times: usize) {
        if self.depth != 1 {
            return;
        }
        let text = std::mem::take(&mut self.text).trim_end().to_string();
        for _ in 0..times.clamp(1, COLUMNS_MAX) {
            if self.row.len() < COLUMNS_MAX {
                self.row.push(text.clone());
            }
        }
    }

    /// Puts a cell where it belongs: rows of spreadsheets leave out empty ones.
    pub fn cell_at(&mut self, column: usize, text: &str) {
        if column >= COLUMNS_MAX || self.size + text.len() > TEXT_MAX {
            self.document.is_cut = true;
            return;
        }
        self.size += text.len();
        if self.row.len() <= column {
            self.row.resize(column + 1, String::new());
        }
        if let Some(cell) = self.row.get_mut(column) {
            *cell = text.to_string();
        }
    }

    pub fn end_row(&mut self) {
        if self.depth != 1 {
            return;
        }
        let mut row = std::mem::take(&mut self.row);
        while row.last().is_some_and(String::is_empty) {
            row.pop();
        }
        match self.table.len() < ROWS_MAX {
            true => self.table.push(row),
            false => self.document.is_cut = true,
        }
    }

    pub fn end_table(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth > 0 {
            return;
        }
        let mut table = std::mem::take(&mut self.table);
        while table.last().is_some_and(Vec::is_empty) {
            table.pop();
        }
        let width = table.iter().map(Vec::len).max().unwrap_or_default();
        table.iter_mut().for_each(|row| row.resize(width, String::new()));
        if width > 0 {
            self.push(Block::Table(table));
        }
    }

    /// `is_whole`: it was read to its end.
    pub fn finish(mut self, is_whole: bool) -> Document {
        while self.depth > 0 {
            self.depth = 1;
            self.end_row();
            self.end_table();
        }
        self.end_paragraph(false);
        self.document.is_cut |= !is_whole;
        self.document
    }
}
