//! Screens as a moving picture: an SVG in which screens follow each other, for the README.
//!
//! In: the cells of each screen. Out: one `<g>` for each, shown in turn by CSS. Runs of cells with the same style are one
//! `<text>`, as wide as its cells whatever the font. What shows no animation shows the first screen.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// The size of a cell in pixels, and of the letters in it.
const CELL: (u16, u16) = (8, 17);
const LETTERS: u16 = 13;
/// Pixels around the screen.
const MARGIN: u16 = 12;
/// Seconds for which a screen is shown.
const SECONDS: usize = 4;
/// The colours of the terminal.
const PAPER: &str = "#1b1d21";
const INK: &str = "#d0d4da";

/// A colour of the 256 that terminals have; those of the theme are indexed.
fn hex(color: Color, usual: &str) -> String {
    let Color::Indexed(index) = color else {
        assert_eq!(color, Color::Reset, "the theme's colours are indexed");
        return usual.to_owned();
    };
    let [red, green, blue] = match index {
        232.. => [8 + 10 * (index - 232); 3],
        16.. => {
            let level = |nth: u8| match nth % 6 {
                0 => 0,
                nth => 55 + 40 * nth,
            };
            let index = index - 16;
            [level(index / 36), level(index / 6), level(index)]
        }
        _ => panic!("the first sixteen are the user's"),
    };
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Ink and paper of a cell.
fn colours(cell: &Cell) -> (String, String) {
    let (ink, paper) = (hex(cell.fg, INK), hex(cell.bg, PAPER));
    match cell.modifier.contains(Modifier::REVERSED) {
        true => (paper, ink),
        false => (ink, paper),
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('\u{a0}', " ")
}

/// The parts of a text between two blanks and more, each with its column: not every viewer keeps such blanks.
fn pieces(text: &str) -> Vec<(u16, &str)> {
    let mut pieces = Vec::new();
    let mut column = 0;
    for part in text.split("  ") {
        let words = part.trim();
        let lead = part.chars().take_while(|it| *it == ' ').count();
        if !words.is_empty() {
            pieces.push((column + lead as u16, words));
        }
        column += part.chars().count() as u16 + 2;
    }
    pieces
}

/// The cells of one screen.
fn cells(screen: &Buffer, svg: &mut String) {
    let (wide, high) = CELL;
    for y in 0..screen.area.height {
        let row: Vec<&Cell> = (0..screen.area.width).map(|x| &screen[(x, y)]).collect();
        let style = |cell: &Cell| (colours(cell), cell.modifier.contains(Modifier::BOLD));
        let mut x = 0;
        for run in row.chunk_by(|one, other| style(one) == style(other)) {
            let ((ink, paper), bold) = style(run[0]);
            let text: String = run.iter().map(|cell| cell.symbol()).collect();
            let left = MARGIN + x * wide;
            let top = MARGIN + y * high;
            let width = run.len() as u16 * wide;
            if paper != PAPER {
                writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{high}\" fill=\"{paper}\"/>"
                )
                .unwrap();
            }
            let ink = match ink == INK {
                true => String::new(),
                false => format!(" fill=\"{ink}\""),
            };
            let weight = if bold { " font-weight=\"bold\"" } else { "" };
            for (column, words) in pieces(&text) {
                writeln!(
                    svg,
                    "<text x=\"{}\" y=\"{}\" textLength=\"{}\"{ink}{weight}>{}</text>",
                    left + column * wide,
                    top + LETTERS,
                    words.chars().count() as u16 * wide,
                    escaped(words)
                )
                .unwrap();
            }
            x += run.len() as u16;
        }
    }
}

/// The picture in which these screens follow each other.
pub fn svg(screens: &[Buffer], title: &str) -> String {
    let area = screens[0].area;
    let width = area.width * CELL.0 + 2 * MARGIN;
    let height = area.height * CELL.1 + 2 * MARGIN;
    let all = SECONDS * screens.len();
    let share = 100.0 / screens.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>{}</title>\n\
         <style>\n\
         text{{font:{LETTERS}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}}\n\
         .screen{{visibility:hidden;animation:shown {all}s step-end infinite}}\n\
         .screen:first-of-type{{visibility:visible}}\n\
         @keyframes shown{{0%{{visibility:visible}}{share:.3}%{{visibility:hidden}}100%{{visibility:hidden}}}}\n\
         </style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{PAPER}\"/>\n",
        escaped(title)
    );
    for (nth, screen) in screens.iter().enumerate() {
        writeln!(
            svg,
            "<g class=\"screen\" fill=\"{INK}\" style=\"animation-delay:{}s\">",
            nth * SECONDS
        )
        .unwrap();
        cells(screen, &mut svg);
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}
