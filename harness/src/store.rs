//! PROVISIONAL
#![allow(missing_docs)]
use crate::{
    id::{AttemptId, Sha256},
    record::{Design, Manifest, Record, Sample, SampleRange},
};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(String);
fn e<T: std::fmt::Display>(p: &Path) -> impl Fn(T) -> StoreError {
    let p = p.to_owned();
    move |x| StoreError(format!("{}: {x}", p.display()))
}
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
}
#[derive(Debug)]
pub struct Run {
    pub dir: PathBuf,
    pub manifest: Manifest,
    pub design: Design,
    pub records: Vec<Record>,
    pub samples: Vec<Sample>,
    pub closed: bool,
}
fn design_text(d: &Design) -> String {
    serde_json::to_string_pretty(d).unwrap_or_default() + "\n"
}
pub fn design_digest(d: &Design) -> Sha256 {
    Sha256::of(design_text(d).as_bytes())
}
impl Store {
    pub fn create(root: &Path, m: &Manifest, d: &Design) -> Result<Self, StoreError> {
        let stamp: String = m.started.chars().filter(|c| !"-:".contains(*c)).collect();
        let dir = root.join(m.site.to_string()).join(format!("{stamp}-{}", m.design.short(8)));
        fs::create_dir_all(dir.join("logs")).map_err(e(&dir))?;
        fs::write(dir.join("manifest.json"), serde_json::to_string_pretty(m).unwrap_or_default() + "\n")
            .map_err(e(&dir))?;
        fs::write(dir.join("design.json"), design_text(d)).map_err(e(&dir))?;
        fs::write(dir.join("attempts.jsonl"), "").map_err(e(&dir))?;
        fs::write(dir.join("samples.csv"), "attempt,kernel,bytes,visit,batch,k,ns\n").map_err(e(&dir))?;
        Ok(Self { dir: fs::canonicalize(&dir).map_err(e(&dir))? })
    }
    pub fn resume(dir: &Path) -> Result<(Self, Run), StoreError> {
        let dir = fs::canonicalize(dir).map_err(e(dir))?;
        Ok((Self { dir: dir.clone() }, load(&dir)?))
    }
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    pub fn log_path(&self, a: AttemptId) -> PathBuf {
        self.dir.join("logs").join(a.to_string())
    }
    pub fn append(&mut self, r: &Record, samples: &[Sample]) -> Result<SampleRange, StoreError> {
        let mut w = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        for s in samples {
            w.serialize(s).map_err(e(&self.dir))?;
        }
        let bytes = w.into_inner().map_err(e(&self.dir))?;
        let path = self.dir.join("samples.csv");
        let offset = fs::metadata(&path).map_err(e(&path))?.len();
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut f| {
                f.write_all(&bytes)?;
                f.sync_all()
            })
            .map_err(e(&path))?;
        let range = SampleRange { offset, bytes: bytes.len() as u64, sha256: Sha256::of(&bytes) };
        let r = Record { samples: range.clone(), ..r.clone() };
        let path = self.dir.join("attempts.jsonl");
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut f| {
                writeln!(f, "{}", serde_json::to_string(&r).unwrap_or_default())?;
                f.sync_all()
            })
            .map_err(e(&path))?;
        Ok(range)
    }
    pub fn close(self) -> Result<(), StoreError> {
        fs::write(self.dir.join("closed.json"), "{}\n").map_err(e(&self.dir))
    }
}
pub fn load(dir: &Path) -> Result<Run, StoreError> {
    let read = |n: &str| fs::read_to_string(dir.join(n)).map_err(e(dir));
    let records =
        read("attempts.jsonl")?.lines().map(|l| serde_json::from_str(l).map_err(e(dir))).collect::<Result<_, _>>()?;
    let samples = csv::Reader::from_path(dir.join("samples.csv"))
        .map_err(e(dir))?
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(e(dir))?;
    Ok(Run {
        dir: dir.to_owned(),
        manifest: serde_json::from_str(&read("manifest.json")?).map_err(e(dir))?,
        design: serde_json::from_str(&read("design.json")?).map_err(e(dir))?,
        records,
        samples,
        closed: dir.join("closed.json").exists(),
    })
}
pub fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    if path.join("manifest.json").exists() {
        return Ok(path.to_owned());
    }
    let mut d: Vec<_> =
        fs::read_dir(path).map_err(e(path))?.flatten().map(|x| x.path()).filter(|p| p.is_dir()).collect();
    d.sort();
    for p in d.into_iter().rev() {
        if let Ok(p) = resolve(&p) {
            return Ok(p);
        }
    }
    Err(StoreError(format!("no run below {}", path.display())))
}
