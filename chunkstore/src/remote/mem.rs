//! A remote in memory.
use super::*;
#[derive(Default)]
pub struct Memory;
impl Memory {
    pub fn new() -> Self {
        Memory
    }
}
impl Remote for Memory {
    fn location(&self) -> String {
        String::new()
    }
    fn begin(&self) -> Result<Box<dyn Staged>> {
        Err(Error::Interrupted)
    }
    fn read(&self, _: &ObjectName, _: u64, _: usize, _: &mut Vec<u8>) -> Result<()> {
        Err(Error::Interrupted)
    }
    fn size(&self, _: &ObjectName) -> Result<Option<u64>> {
        Err(Error::Interrupted)
    }
    fn list(&self, _: Kind, _: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        Err(Error::Interrupted)
    }
    fn delete(&self, _: &ObjectName) -> Result<()> {
        Err(Error::Interrupted)
    }
    fn barrier(&self) -> Result<()> {
        Err(Error::Interrupted)
    }
    fn sweep_staged(&self, _: std::time::Duration) -> Result<u64> {
        Err(Error::Interrupted)
    }
}
