// Package crashvfs lets tests cut the power under SQLite and make its disk fail. Nothing but tests may import it.
//
// Record puts a wrapper around SQLite's own VFS, which sees every call for files of one directory, xShm* included, and writes
// down the writes, truncations, syncs and deletions together with what the test says was acknowledged. Log.Image then builds
// what a disk may hold when the power went after any of these entries. Recorder.Fail makes calls fail.
//
// # The model of the disk
//
//   - What was written before a sync of its file began, and that sync has returned, is on the disk. Of everything else any
//     part may be: each write as a whole or each of its pieces, cut at multiples of 512 bytes, in any combination. Bytes that
//     nobody writes do not change (SQLite's SQLITE_IOCAP_POWERSAFE_OVERWRITE, https://sqlite.org/psow.html).
//   - A file may have grown although the bytes are not there yet: there are zeros or garbage then.
//   - A sync that failed has lost what it should have written for good: a later one of the same file does not bring it back
//     (https://wiki.postgresql.org/wiki/Fsync_Errors).
//   - Names: a file that was made or deleted may be found either way until its directory is synced, each name for itself.
//     SQLite does that with the first sync of a journal or write-ahead log that it opened for creation and with deletions that
//     ask for it. What Go code does to the directory is not seen: it counts as not synced, and a removed file as perhaps there.
//   - The shared memory (-shm) is never there after a power cut, and a file that was there before Record is.
//
// Not in the model: sectors that rot, writes to wrong places, disks that claim to have synced. No real power was cut.
package crashvfs
