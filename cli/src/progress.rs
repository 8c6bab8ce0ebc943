//! What a run looks like: live on a terminal, lines elsewhere, JSON lines for programs.

use crate::json::{Object, array};
use crate::output::{Look, Out, note};
use chrono::{DateTime, SecondsFormat, Utc};
use dtsx::{ComponentRows, Event, EventKind, Message, Outcome, PathRows, RunResult};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime};

/// The path of the package itself among the sources of events.
const ROOT: &str = r"\Package";

/// Shows a run.
pub trait Display {
    /// Something happened.
    ///
    /// # Errors
    /// Nobody can see it.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Nothing happened for a moment but rows passing by.
    ///
    /// # Errors
    /// Nobody can see it.
    fn tick(&mut self, rows: &[PathRows]) -> io::Result<()>;

    /// The run is over.
    ///
    /// # Errors
    /// Nobody can see it.
    fn end(&mut self, outcome: &Outcome) -> io::Result<()>;
}

/// Executables under way, and what is said of them in lines.
struct Log {
    verbose: bool,
    look: Look,
    started: SystemTime,
    running: HashMap<String, Running>,
}

struct Running {
    since: SystemTime,
    failed: bool,
}

impl Log {
    fn new(verbose: bool, look: Look) -> Log {
        Log { verbose, look, started: SystemTime::now(), running: HashMap::new() }
    }

    /// The lines for an event.
    fn lines(&mut self, event: &Event) -> Vec<String> {
        let (path, time) = (&event.source.path, event.time);
        match &event.kind {
            EventKind::PreExecute if path != ROOT => {
                self.running.insert(path.clone(), Running { since: time, failed: false });
                vec![self.stamped(time, "start", "36", path)]
            }
            EventKind::TaskFailed => {
                if let Some(running) = self.running.get_mut(path) {
                    running.failed = true;
                }
                Vec::new()
            }
            EventKind::PostExecute { rows } if path != ROOT => {
                let Some(running) = self.running.remove(path) else { return Vec::new() };
                let elapsed = between(running.since, time);
                let (word, style) = if running.failed { ("failed", "31") } else { ("done", "32") };
                let rows = rows.iter().map(|rows| rows_text(rows, elapsed));
                let mut lines: Vec<String> =
                    rows.map(|text| self.stamped(time, "rows", "2", &format!("{path} · {text}"))).collect();
                lines.push(self.stamped(time, word, style, &format!("{path} in {}", seconds(elapsed))));
                lines
            }
            EventKind::Error(message) => vec![self.message("error", "1;31", event, message)],
            EventKind::Warning(message) => vec![self.message("warning", "1;33", event, message)],
            EventKind::Information(message) if self.verbose => vec![self.message("info", "2", event, message)],
            EventKind::Custom { name, text } if self.verbose => {
                vec![self.stamped(time, "event", "2", &format!("{path} · {name}: {text}"))]
            }
            _ => Vec::new(),
        }
    }

    fn stamped(&self, time: SystemTime, word: &str, style: &str, text: &str) -> String {
        let time = format!("{:>8.3}", between(self.started, time).as_secs_f64());
        format!("{} {} {text}", self.look.paint("2", &time), self.look.paint(style, &format!("{word:<7}")))
    }

    fn message(&self, word: &str, style: &str, event: &Event, message: &Message) -> String {
        let part =
            if message.sub_component.is_empty() { String::new() } else { format!(" · {}", message.sub_component) };
        let text = format!("{}{part}: {} {}", event.source.path, message.code, message.text.trim_end());
        self.stamped(event.time, word, style, &text)
    }

    /// The components that did not simply pass their rows on.
    fn accounts(&self, outcome: &Outcome) -> Vec<String> {
        let told = outcome.components.iter().filter(|c| c.redirected > 0 || c.left_out > 0);
        let line = |c: &ComponentRows| {
            let text = format!(
                "{} · {}: {} received, {} sent, {} redirected, {} left out",
                c.task,
                c.component,
                grouped(c.received),
                grouped(c.sent),
                grouped(c.redirected),
                grouped(c.left_out)
            );
            self.stamped(SystemTime::now(), "rows", "2", &text)
        };
        told.map(line).collect()
    }

    fn verdict(&self, outcome: &Outcome) -> String {
        let (word, style) = match outcome.result {
            RunResult::Success => ("success", "1;32"),
            RunResult::Failure => ("failure", "1;31"),
            RunResult::Cancelled => ("cancelled", "1;33"),
        };
        self.stamped(SystemTime::now(), word, style, &format!("in {}", seconds(outcome.elapsed)))
    }
}

/// The time from one to the other; none if a clock was put back.
fn between(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

/// `Flat File Source.Output: 1,234,567 rows, 2.1 M rows/s`.
fn rows_text(rows: &PathRows, elapsed: Duration) -> String {
    let rate = rows.rows as f64 / elapsed.as_secs_f64().max(1e-6);
    format!("{}: {} rows, {} rows/s", rows.path, grouped(rows.rows), short(rate))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

fn short(number: f64) -> String {
    match number {
        n if n >= 1e9 => format!("{:.1} G", n / 1e9),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e3 => format!("{:.1} k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

/// One line an event, on standard error.
pub struct Lines(Log);

impl Lines {
    /// With `verbose`, information and custom events are shown as well.
    pub fn new(verbose: bool) -> Lines {
        Lines(Log::new(verbose, Look::plain()))
    }
}

impl Display for Lines {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.0.lines(event).into_iter().for_each(note);
        Ok(())
    }

    fn tick(&mut self, _rows: &[PathRows]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.0.accounts(outcome).into_iter().for_each(note);
        note(self.0.verdict(outcome));
        Ok(())
    }
}

/// The same lines on a terminal, and below them what is running now: a line a task, and one a data path. What is over
/// before the first tick never gets one.
pub struct Live {
    log: Log,
    bars: MultiProgress,
    tasks: Vec<(String, ProgressBar)>,
    paths: Vec<(PathRows, ProgressBar)>,
}

impl Live {
    /// With `verbose`, information and custom events are shown as well.
    pub fn new(verbose: bool) -> Live {
        let look = Look::of(&io::stderr());
        Live { log: Log::new(verbose, look), bars: MultiProgress::new(), tasks: Vec::new(), paths: Vec::new() }
    }

    fn begin_task(&mut self, path: &str, since: Duration) {
        let bar = ProgressBar::new_spinner().with_message(path.to_owned()).with_elapsed(since);
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {elapsed:>5} {msg}") {
            bar.set_style(style);
        }
        self.tasks.push((path.to_owned(), self.bars.add(bar)));
    }

    fn end_task(&mut self, path: &str) {
        let ended = |bar: &ProgressBar| {
            bar.finish_and_clear();
            false
        };
        self.tasks.retain(|(task, bar)| task != path || ended(bar));
        self.paths.retain(|(rows, bar)| rows.task != path || ended(bar));
    }

    fn show_rows(&mut self, now: &PathRows, text: String) {
        if let Some((_, bar)) = self.paths.iter().find(|(rows, _)| rows.task == now.task && rows.path == now.path) {
            bar.set_message(text);
            return;
        }
        let last = self.paths.iter().rev().find(|(rows, _)| rows.task == now.task).map(|(_, bar)| bar);
        let above = last.or_else(|| self.tasks.iter().find(|(path, _)| *path == now.task).map(|(_, bar)| bar));
        let Some(above) = above else { return };
        let bar = ProgressBar::new_spinner().with_message(text);
        if let Ok(style) = ProgressStyle::with_template("        {msg}") {
            bar.set_style(style);
        }
        let bar = self.bars.insert_after(above, bar);
        self.paths.push((now.clone(), bar));
    }
}

impl Display for Live {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let path = &event.source.path;
        let lines = self.log.lines(event);
        match event.kind {
            // The task will have a line of its own.
            EventKind::PreExecute => return Ok(()),
            EventKind::PostExecute { .. } => self.end_task(path),
            _ => {}
        }
        for line in lines {
            if self.tasks.is_empty() {
                note(line);
            } else {
                self.bars.println(line)?;
            }
        }
        Ok(())
    }

    fn tick(&mut self, rows: &[PathRows]) -> io::Result<()> {
        let now = SystemTime::now();
        let mut running: Vec<(String, SystemTime)> =
            self.log.running.iter().map(|(path, running)| (path.clone(), running.since)).collect();
        running.sort_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
        for (path, since) in &running {
            if !self.tasks.iter().any(|(task, _)| task == path) {
                self.begin_task(path, between(*since, now));
            }
        }
        for path in rows {
            if let Some((_, since)) = running.iter().find(|(task, _)| *task == path.task) {
                self.show_rows(path, rows_text(path, between(*since, now)));
            }
        }
        for (_, bar) in &self.tasks {
            bar.tick();
        }
        Ok(())
    }

    fn end(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.bars.clear()?;
        self.log.accounts(outcome).into_iter().for_each(note);
        note(self.log.verdict(outcome));
        Ok(())
    }
}

/// One JSON object a line, on standard output.
pub struct Json<'a> {
    out: &'a mut Out,
    next_rows: Instant,
}

/// How often the rows that have passed are told.
const ROWS_EVERY: Duration = Duration::from_secs(1);

impl<'a> Json<'a> {
    /// Lines on `out`.
    pub fn new(out: &'a mut Out) -> Json<'a> {
        Json { out, next_rows: Instant::now() + ROWS_EVERY }
    }

    fn line(&mut self, object: Object) -> io::Result<()> {
        writeln!(self.out, "{}", object.end())?;
        // Whoever reads along wants to see it now.
        self.out.flush()
    }
}

fn timed(time: SystemTime, event: &str) -> Object {
    let time = DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true);
    Object::new().text("event", event).text("time", &time)
}

fn rows_json(rows: &[PathRows]) -> String {
    array(rows.iter().map(|r| Object::new().text("task", &r.task).text("path", &r.path).raw("rows", r.rows).end()))
}

fn components_json(components: &[ComponentRows]) -> String {
    array(components.iter().map(|c| {
        Object::new()
            .text("task", &c.task)
            .text("component", &c.component)
            .text("rule", &c.rule)
            .raw("received", c.received)
            .raw("sent", c.sent)
            .raw("redirected", c.redirected)
            .raw("left_out", c.left_out)
            .end()
    }))
}

impl Display for Json<'_> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let object = timed(event.time, event.kind.name())
            .text("source", &event.source.name)
            .text("path", &event.source.path)
            .text_if("id", &event.source.id);
        let object = match &event.kind {
            EventKind::PostExecute { rows } if !rows.is_empty() => object.raw("rows", rows_json(rows)),
            EventKind::Error(m) | EventKind::Warning(m) | EventKind::Information(m) => object
                .text("code", &m.code.to_string())
                .text_if("symbol", m.code.name())
                .text_if("sub_component", &m.sub_component)
                .text("message", &m.text),
            EventKind::Progress { description, percent, sub_component } => {
                object.text("description", description).raw("percent", percent).text_if("sub_component", sub_component)
            }
            EventKind::VariableValueChanged { variable } => object.text("variable", variable),
            EventKind::Custom { text, .. } => object.text("message", text),
            _ => object,
        };
        self.line(object)
    }

    fn tick(&mut self, rows: &[PathRows]) -> io::Result<()> {
        if rows.is_empty() || Instant::now() < self.next_rows {
            return Ok(());
        }
        self.next_rows = Instant::now() + ROWS_EVERY;
        self.line(timed(SystemTime::now(), "Rows").raw("rows", rows_json(rows)))
    }

    fn end(&mut self, outcome: &Outcome) -> io::Result<()> {
        let result = match outcome.result {
            RunResult::Success => "success",
            RunResult::Failure => "failure",
            RunResult::Cancelled => "cancelled",
        };
        let object = timed(SystemTime::now(), "Finished")
            .text("result", result)
            .raw("exit_code", crate::run::exit_code(outcome.result) as u8)
            .raw("elapsed_seconds", format_args!("{:.6}", outcome.elapsed.as_secs_f64()))
            .raw("peak_bytes", outcome.memory.peak)
            .raw("spilled_bytes", outcome.memory.spilled)
            .raw("rows", rows_json(&outcome.rows))
            .raw("components", components_json(&outcome.components));
        self.line(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx::{Code, Source};

    fn event(kind: EventKind) -> Event {
        let source = Source { name: "Load".into(), path: r"\Package\Load".into(), id: String::new() };
        Event { time: SystemTime::UNIX_EPOCH, source, kind }
    }

    #[test]
    fn lines_tell_start_rows_messages_and_end() {
        let mut log = Log::new(false, Look::plain());
        let start = log.lines(&event(EventKind::PreExecute));
        assert!(start[0].ends_with(r"start   \Package\Load"), "{start:?}");
        let message = Message { code: Code(0xC0209029), sub_component: "Source".into(), text: "Bad value.\r\n".into() };
        assert_eq!(log.lines(&event(EventKind::Information(message.clone()))), Vec::<String>::new());
        let error = log.lines(&event(EventKind::Error(message)));
        assert!(error[0].ends_with(r"error   \Package\Load · Source: 0xC0209029 Bad value."), "{error:?}");
        log.lines(&event(EventKind::TaskFailed));
        let rows = vec![PathRows { task: r"\Package\Load".into(), path: "Source.Output".into(), rows: 1_234_567 }];
        let end = log.lines(&event(EventKind::PostExecute { rows }));
        assert!(end[0].contains("Source.Output: 1,234,567 rows, "), "{end:?}");
        assert!(end[1].contains(r"failed  \Package\Load in "), "{end:?}");
    }

    #[test]
    fn numbers_are_readable() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1234567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (number, text) in [(12.0, "12"), (1500.0, "1.5 k"), (2.1e6, "2.1 M"), (3e9, "3.0 G")] {
            assert_eq!(short(number), text);
        }
    }
}
