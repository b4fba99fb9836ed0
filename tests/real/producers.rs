//! Patterns of producers that send again, and of consumers that claim. Streams are added to at ids
//! of a far future, so that an id without a time does not depend on the moment.

/// How patterns begin whose words are not changed, since a stream that they created would have ids
/// of the moment.
pub(crate) const KEPT: &str = "XADD key NOMKSTREAM";

/// The patterns; see `grammar`.
pub(crate) const PATTERNS: &[&str] = &[
    "XADD key (9999999999998-*|9999999999999-*|9999999999999-*) a 1",
    "XADD key 9999999999999-* a 1 b 2",
    "XADD key NOMKSTREAM IDMP (p|q) (a|b|one|two|three) * a 1",
    "XADD key NOMKSTREAM IDMP p (a|b|one|two|three) * (mem val)+",
    "XADD key NOMKSTREAM IDMPAUTO (p|q) * (mem val)+",
    "XADD key NOMKSTREAM IDMPAUTO p * (a 1 b 2|b 2 a 1|a 1|a 2)",
    "XADD key NOMKSTREAM (KEEPREF|DELREF|ACKED)? (IDMP p a|IDMPAUTO q) ((MAXLEN|MINID) (=|~)? cut (LIMIT num)?)? * a 1",
    "XADD key NOMKSTREAM (MAXLEN (=|~)? num)? (IDMP p a|IDMPAUTO q) (NOMKSTREAM|KEEPREF)? * a 1",
    "XADD key NOMKSTREAM (IDMP (p|q) mem|IDMPAUTO mem)+ (*|9999999999999-*|x|9999999999999-7) a 1 b?",
    "XADD key (IDMP|IDMPAUTO) mem? X?",
    "XCFGSET key (IDMP-DURATION (1000|86400|86401|num)|IDMP-MAXSIZE (1|2|3|10000|10001|num)|X)? (IDMP-DURATION (1000|2000)|IDMP-MAXSIZE (2|3))?",
    "XCFGSET key IDMP-MAXSIZE (2|3)",
    "XIDMPRECORD key (p|q) (a|b|one|two) (9999999999999-0|9999999999999-1|9999999999999-2|9999999999998-0|x)",
    "XIDMPRECORD key mem mem 9999999999999-1",
    "XDEL key (9999999999999-0|9999999999999-1|9999999999999-2)",
    "XDELEX key (KEEPREF|DELREF|ACKED)? IDS 1 (9999999999999-0|9999999999999-1)",
    "XTRIM key MAXLEN num",
    "XACK key g (9999999999999-0|9999999999999-1)",
    "XGROUP CREATE key (g|h) (0|$)",
    "XGROUP CREATE key g 0",
    "XGROUP (DELCONSUMER|CREATECONSUMER) key g con",
    "XGROUP SETID key g (0|$|9999999999999-0)",
    "XREADGROUP GROUP (g|h) con (COUNT num)? STREAMS key >",
    "XREADGROUP GROUP g con (COUNT (1|2))? CLAIM 0 STREAMS key >",
    "XREADGROUP GROUP g con (COUNT (1|2))? NOACK? CLAIM (0|100000) NOACK? STREAMS key key > >",
    "XREADGROUP GROUP g con (COUNT num)? CLAIM (0|100000|num|x) STREAMS key from",
    "XREADGROUP GROUP g con BLOCK 0 CLAIM (0|100000) STREAMS key >",
    "XREAD CLAIM (0|x) STREAMS key 0",
    "XCLAIM key g con 0 (9999999999999-0|9999999999999-1) ((IDLE|TIME) (5000|1000))? JUSTID?",
    "XAUTOCLAIM key g con 0 0 (COUNT num)? JUSTID?",
    "XPENDING key g (- span 10)?",
    "XINFO STREAM key",
    "XINFO GROUPS key",
    "(RENAME|COPY) key key",
    "DEL key",
    "SET key val",
    "MULTI",
    "EXEC",
    "WATCH key",
    "DEBUG RELOAD",
];
