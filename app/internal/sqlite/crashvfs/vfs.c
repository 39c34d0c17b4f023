//go:build cgo

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "vfs.h"

/* The values are those of the Op constants in Go. */
enum { OP_OPEN = 1, OP_READ, OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_DELETE, OP_SIZE, OP_ACCESS, OP_LOCK, OP_SHM_MAP, OP_SHM_LOCK };

#define SQLITE_OK 0
#define SQLITE_INTERNAL 2

/* crash_file is followed in memory by the file of the wrapped VFS. */
typedef struct crash_file {
	sqlite3_file file;
	crash_vfs *vfs;
	int number;
	int syncs_dir; /* the next sync makes the directory durable too, as the unix VFS does for journals */
	int pad;
} crash_file;

static sqlite3_file *inner(sqlite3_file *f) { return (sqlite3_file *)((crash_file *)f + 1); }
static crash_vfs *outer(sqlite3_vfs *v) { return (crash_vfs *)v; }

/* ask lets Go see the call first. The answer is an error when base must not be asked. */
static int ask(crash_vfs *v, crash_call *c) {
	if (v->watcher == 0) return SQLITE_OK;
	crashvfsCall(v->watcher, c);
	if (c->code != SQLITE_OK) errno = c->sys_errno;
	return c->code;
}

static int tell(crash_vfs *v, crash_call *c, int code) {
	int kept = errno;
	if (v->watcher != 0 && c->ticket != 0) crashvfsDone(v->watcher, c->ticket, code);
	errno = kept;
	return code;
}

static int ask_file(sqlite3_file *f, int op) {
	crash_file *file = (crash_file *)f;
	crash_call c = {.op = op, .file = file->number};
	return ask(file->vfs, &c);
}

static int x_close(sqlite3_file *f) { return inner(f)->pMethods->xClose(inner(f)); }

static int x_read(sqlite3_file *f, void *to, int bytes, sqlite3_int64 offset) {
	int code = ask_file(f, OP_READ);
	return code != SQLITE_OK ? code : inner(f)->pMethods->xRead(inner(f), to, bytes, offset);
}

static int x_write(sqlite3_file *f, const void *from, int bytes, sqlite3_int64 offset) {
	crash_file *file = (crash_file *)f;
	crash_call c = {.op = OP_WRITE, .file = file->number, .data = from, .bytes = bytes, .offset = offset};
	int code = ask(file->vfs, &c);
	if (code == SQLITE_OK) return tell(file->vfs, &c, inner(f)->pMethods->xWrite(inner(f), from, bytes, offset));
	if (c.part > 0) inner(f)->pMethods->xWrite(inner(f), from, c.part, offset);
	errno = c.sys_errno;
	return tell(file->vfs, &c, code);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size) {
	crash_file *file = (crash_file *)f;
	crash_call c = {.op = OP_TRUNCATE, .file = file->number, .offset = size};
	int code = ask(file->vfs, &c);
	if (code == SQLITE_OK) code = inner(f)->pMethods->xTruncate(inner(f), size);
	return tell(file->vfs, &c, code);
}

static int x_sync(sqlite3_file *f, int flags) {
	crash_file *file = (crash_file *)f;
	crash_call c = {.op = OP_SYNC, .file = file->number, .flag = file->syncs_dir};
	int code = ask(file->vfs, &c);
	if (code == SQLITE_OK) {
		if (!c.skip) code = inner(f)->pMethods->xSync(inner(f), flags);
		if (code == SQLITE_OK) file->syncs_dir = 0;
	}
	return tell(file->vfs, &c, code);
}

static int x_file_size(sqlite3_file *f, sqlite3_int64 *size) {
	int code = ask_file(f, OP_SIZE);
	return code != SQLITE_OK ? code : inner(f)->pMethods->xFileSize(inner(f), size);
}

static int x_lock(sqlite3_file *f, int level) {
	int code = ask_file(f, OP_LOCK);
	return code != SQLITE_OK ? code : inner(f)->pMethods->xLock(inner(f), level);
}

static int x_unlock(sqlite3_file *f, int level) { return inner(f)->pMethods->xUnlock(inner(f), level); }

static int x_check_reserved_lock(sqlite3_file *f, int *held) {
	return inner(f)->pMethods->xCheckReservedLock(inner(f), held);
}

static int x_file_control(sqlite3_file *f, int op, void *arg) {
	return inner(f)->pMethods->xFileControl(inner(f), op, arg);
}

static int x_sector_size(sqlite3_file *f) { return inner(f)->pMethods->xSectorSize(inner(f)); }

static int x_device_characteristics(sqlite3_file *f) { return inner(f)->pMethods->xDeviceCharacteristics(inner(f)); }

static int x_shm_map(sqlite3_file *f, int region, int bytes, int extend, void volatile **at) {
	int code = ask_file(f, OP_SHM_MAP);
	return code != SQLITE_OK ? code : inner(f)->pMethods->xShmMap(inner(f), region, bytes, extend, at);
}

static int x_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
	const int unlock = 1; /* SQLITE_SHM_UNLOCK: SQLite does not look at its answer */
	int code = flags & unlock ? SQLITE_OK : ask_file(f, OP_SHM_LOCK);
	return code != SQLITE_OK ? code : inner(f)->pMethods->xShmLock(inner(f), offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *f) { inner(f)->pMethods->xShmBarrier(inner(f)); }

static int x_shm_unmap(sqlite3_file *f, int del) { return inner(f)->pMethods->xShmUnmap(inner(f), del); }

static int x_fetch(sqlite3_file *f, sqlite3_int64 offset, int bytes, void **at) {
	return inner(f)->pMethods->xFetch(inner(f), offset, bytes, at);
}

static int x_unfetch(sqlite3_file *f, sqlite3_int64 offset, void *at) {
	return inner(f)->pMethods->xUnfetch(inner(f), offset, at);
}

static const sqlite3_io_methods methods = {
	3, x_close, x_read, x_write, x_truncate, x_sync, x_file_size, x_lock, x_unlock, x_check_reserved_lock,
	x_file_control, x_sector_size, x_device_characteristics, x_shm_map, x_shm_lock, x_shm_barrier, x_shm_unmap,
	x_fetch, x_unfetch,
};

/* x_open hands files of other directories to base and has nothing to do with them afterwards. */
static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out) {
	crash_vfs *v = outer(vfs);
	crash_file *file = (crash_file *)f;
	f->pMethods = NULL;
	if (v->watcher == 0 || name == NULL || !crashvfsWatches(v->watcher, (char *)name)) {
		return v->base->xOpen(v->base, name, f, flags, out);
	}
	memset(file, 0, sizeof *file);
	file->vfs = v;
	crash_call c = {.op = OP_OPEN, .name = name, .flag = flags};
	int code = ask(v, &c);
	if (code != SQLITE_OK) return code;
	code = v->base->xOpen(v->base, name, inner(f), flags, out);
	if (inner(f)->pMethods == NULL) return code;
	if (inner(f)->pMethods->iVersion < 3) {
		inner(f)->pMethods->xClose(inner(f));
		return SQLITE_INTERNAL; /* without the xShm methods SQLite could not be tested as it runs */
	}
	f->pMethods = &methods;
	if (code == SQLITE_OK && v->watcher != 0) {
		file->number = crashvfsOpened(v->watcher, (char *)name);
		file->syncs_dir = (flags & CRASH_OPEN_CREATE) != 0 && (flags & CRASH_OPEN_NEW_JOURNAL) != 0;
	}
	return code;
}

static int watched(crash_vfs *v, const char *name) {
	return v->watcher != 0 && name != NULL && crashvfsWatches(v->watcher, (char *)name);
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync_dir) {
	crash_vfs *v = outer(vfs);
	if (!watched(v, name)) return v->base->xDelete(v->base, name, sync_dir);
	crash_call c = {.op = OP_DELETE, .name = name, .flag = sync_dir & 1};
	int code = ask(v, &c);
	if (code == SQLITE_OK) code = v->base->xDelete(v->base, name, c.skip ? 0 : sync_dir);
	return tell(v, &c, code);
}

static int x_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
	crash_vfs *v = outer(vfs);
	if (watched(v, name)) {
		crash_call c = {.op = OP_ACCESS, .name = name};
		int code = ask(v, &c);
		if (code != SQLITE_OK) return code;
	}
	return v->base->xAccess(v->base, name, flags, out);
}

static int x_full_pathname(sqlite3_vfs *v, const char *name, int bytes, char *out) {
	return outer(v)->base->xFullPathname(outer(v)->base, name, bytes, out);
}

static void *x_dl_open(sqlite3_vfs *v, const char *name) { return outer(v)->base->xDlOpen(outer(v)->base, name); }

static void x_dl_error(sqlite3_vfs *v, int bytes, char *out) { outer(v)->base->xDlError(outer(v)->base, bytes, out); }

static sqlite3_syscall_ptr x_dl_sym(sqlite3_vfs *v, void *lib, const char *name) {
	return outer(v)->base->xDlSym(outer(v)->base, lib, name);
}

static void x_dl_close(sqlite3_vfs *v, void *lib) { outer(v)->base->xDlClose(outer(v)->base, lib); }

static int x_randomness(sqlite3_vfs *v, int bytes, char *out) {
	return outer(v)->base->xRandomness(outer(v)->base, bytes, out);
}

static int x_sleep(sqlite3_vfs *v, int micros) { return outer(v)->base->xSleep(outer(v)->base, micros); }

static int x_current_time(sqlite3_vfs *v, double *out) { return outer(v)->base->xCurrentTime(outer(v)->base, out); }

static int x_get_last_error(sqlite3_vfs *v, int bytes, char *out) {
	return outer(v)->base->xGetLastError(outer(v)->base, bytes, out);
}

static int x_current_time_int64(sqlite3_vfs *v, sqlite3_int64 *out) {
	return outer(v)->base->xCurrentTimeInt64(outer(v)->base, out);
}

static int x_set_system_call(sqlite3_vfs *v, const char *name, sqlite3_syscall_ptr call) {
	return outer(v)->base->xSetSystemCall(outer(v)->base, name, call);
}

static sqlite3_syscall_ptr x_get_system_call(sqlite3_vfs *v, const char *name) {
	return outer(v)->base->xGetSystemCall(outer(v)->base, name);
}

static const char *x_next_system_call(sqlite3_vfs *v, const char *name) {
	return outer(v)->base->xNextSystemCall(outer(v)->base, name);
}

/* crash_register puts a wrapper in the place of the default VFS; NULL when it cannot. */
crash_vfs *crash_register(uintptr_t watcher) {
	sqlite3_vfs *base = sqlite3_vfs_find(NULL);
	if (base == NULL || base->iVersion < 3) return NULL;
	crash_vfs *v = calloc(1, sizeof *v);
	if (v == NULL) return NULL;
	v->base = base;
	v->watcher = watcher;
	v->vfs = (sqlite3_vfs){
		3, (int)sizeof(crash_file) + base->szOsFile, base->mxPathname, NULL, "crashvfs", NULL,
		x_open, x_delete, x_access, x_full_pathname, x_dl_open, x_dl_error, x_dl_sym, x_dl_close, x_randomness,
		x_sleep, x_current_time, x_get_last_error, x_current_time_int64, x_set_system_call, x_get_system_call,
		x_next_system_call,
	};
	if (sqlite3_vfs_register(&v->vfs, 1) != SQLITE_OK) {
		free(v);
		return NULL;
	}
	return v;
}

/* crash_unregister gives the default VFS its place back. The memory stays: connections that are open point to it. */
void crash_unregister(crash_vfs *v) {
	sqlite3_vfs_unregister(&v->vfs);
	sqlite3_vfs_register(v->base, 1);
	v->watcher = 0;
}
