//! Replaces names that a server makes, so that a recording is the same each time.

/// The names of a real server and their replacements, in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<(String, String)>);

/// How such names begin, and the length of the rest.
const MADE_UP: [(&str, Option<usize>); 3] =
    [("amq.gen-", Some(22)), ("amq.ctag-", Some(22)), ("amq.rabbitmq.reply-to.", None)];

impl Names {
    /// Returns the line as it is recorded: with the replacements, and without times.
    pub(crate) fn normal(&mut self, line: &str) -> String {
        let mut line = line.to_owned();
        for (prefix, length) in MADE_UP {
            let mut from = 0;
            while let Some(at) = line[from..].find(prefix).map(|at| at + from) {
                let rest = &line[at + prefix.len()..];
                let is_part = |c: char| c.is_ascii_alphanumeric() || "-_+/=.".contains(c);
                let part = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                from = at + prefix.len() + part;
                if length.is_some_and(|length| length != part) || part < 3 {
                    continue;
                }
                let name = self.name(prefix, &line[at..from]);
                // Characters that require quotation marks.
                let quoted = line[..at].ends_with('"') && line[from..].starts_with('"');
                let quotes = usize::from(quoted);
                line.replace_range(at - quotes..from + quotes, &name);
                from = at - quotes + name.len();
            }
        }
        line = replace_word(&line, "time:T=", "0", |c| c.is_ascii_digit());
        // Either of two processes may report this first.
        if line.starts_with("connection.close ") {
            line = line.replace("' is down\"", "' is deleted\"");
        }
        // The order depends on a table of processes.
        line = sorted_words(&line, "mechanisms=\"");
        line = replace_word(&line, "user 'stunt", "", |c| c.is_ascii_digit() || c == '-');
        line = line.replace("user 'stunt@localhost'", "user 'rabbit@localhost'");
        replace_word(&line, "cluster_name:S=", "rabbit@localhost", |c| c != ',')
    }

    fn name(&mut self, prefix: &str, real: &str) -> String {
        if let Some((name, _)) = self.0.iter().find(|(_, known)| known == real) {
            return name.clone();
        }
        let number = self.0.iter().filter(|(name, _)| name.starts_with(prefix)).count() + 1;
        self.0.push((format!("{prefix}{number}"), real.to_owned()));
        format!("{prefix}{number}")
    }

    /// Returns the line with the real names.
    pub(crate) fn real(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (name, real) in &self.0 {
            let mut from = 0;
            while let Some(at) = line[from..].find(name).map(|at| at + from) {
                from = at + name.len();
                if line[from..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
                    continue;
                }
                line.replace_range(at..from, &format!("\"{real}\""));
                from = at + real.len() + 2;
            }
        }
        line
    }

    pub(crate) fn queues(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with(MADE_UP[0].0))
    }
}

/// Replaces the word behind each occurrence of `before`.
fn replace_word(line: &str, before: &str, by: &str, is_part: impl Fn(char) -> bool) -> String {
    let mut parts = line.split(before);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c| !is_part(c)).unwrap_or(part.len());
        replaced.extend([before, by, &part[end..]]);
    }
    replaced
}

/// Sorts the words in quotation marks behind `before`.
fn sorted_words(line: &str, before: &str) -> String {
    let Some((start, rest)) = line.split_once(before) else { return line.to_owned() };
    let (words, end) = rest.split_once('"').unwrap_or((rest, ""));
    let mut words: Vec<&str> = words.split(' ').collect();
    words.sort_unstable();
    format!("{start}{before}{}\"{end}", words.join(" "))
}
