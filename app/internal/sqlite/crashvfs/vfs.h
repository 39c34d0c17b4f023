/* What the wrapper needs of SQLite's public interface, version 3 of both structs (https://sqlite.org/c3ref/vfs.html and
** https://sqlite.org/c3ref/io_methods.html), and what C and Go say to each other. The symbols are those of the driver. */
#ifndef CRASHVFS_H
#define CRASHVFS_H

#include <stdint.h>

typedef long long sqlite3_int64;
typedef struct sqlite3_vfs sqlite3_vfs;
typedef struct sqlite3_file sqlite3_file;
typedef struct sqlite3_io_methods sqlite3_io_methods;
typedef void (*sqlite3_syscall_ptr)(void);

struct sqlite3_file {
	const sqlite3_io_methods *pMethods;
};

struct sqlite3_io_methods {
	int iVersion;
	int (*xClose)(sqlite3_file *);
	int (*xRead)(sqlite3_file *, void *, int, sqlite3_int64);
	int (*xWrite)(sqlite3_file *, const void *, int, sqlite3_int64);
	int (*xTruncate)(sqlite3_file *, sqlite3_int64);
	int (*xSync)(sqlite3_file *, int);
	int (*xFileSize)(sqlite3_file *, sqlite3_int64 *);
	int (*xLock)(sqlite3_file *, int);
	int (*xUnlock)(sqlite3_file *, int);
	int (*xCheckReservedLock)(sqlite3_file *, int *);
	int (*xFileControl)(sqlite3_file *, int, void *);
	int (*xSectorSize)(sqlite3_file *);
	int (*xDeviceCharacteristics)(sqlite3_file *);
	int (*xShmMap)(sqlite3_file *, int, int, int, void volatile **);
	int (*xShmLock)(sqlite3_file *, int, int, int);
	void (*xShmBarrier)(sqlite3_file *);
	int (*xShmUnmap)(sqlite3_file *, int);
	int (*xFetch)(sqlite3_file *, sqlite3_int64, int, void **);
	int (*xUnfetch)(sqlite3_file *, sqlite3_int64, void *);
};

struct sqlite3_vfs {
	int iVersion;
	int szOsFile;
	int mxPathname;
	sqlite3_vfs *pNext;
	const char *zName;
	void *pAppData;
	int (*xOpen)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);
	int (*xDelete)(sqlite3_vfs *, const char *, int);
	int (*xAccess)(sqlite3_vfs *, const char *, int, int *);
	int (*xFullPathname)(sqlite3_vfs *, const char *, int, char *);
	void *(*xDlOpen)(sqlite3_vfs *, const char *);
	void (*xDlError)(sqlite3_vfs *, int, char *);
	sqlite3_syscall_ptr (*xDlSym)(sqlite3_vfs *, void *, const char *);
	void (*xDlClose)(sqlite3_vfs *, void *);
	int (*xRandomness)(sqlite3_vfs *, int, char *);
	int (*xSleep)(sqlite3_vfs *, int);
	int (*xCurrentTime)(sqlite3_vfs *, double *);
	int (*xGetLastError)(sqlite3_vfs *, int, char *);
	int (*xCurrentTimeInt64)(sqlite3_vfs *, sqlite3_int64 *);
	int (*xSetSystemCall)(sqlite3_vfs *, const char *, sqlite3_syscall_ptr);
	sqlite3_syscall_ptr (*xGetSystemCall)(sqlite3_vfs *, const char *);
	const char *(*xNextSystemCall)(sqlite3_vfs *, const char *);
};

extern sqlite3_vfs *sqlite3_vfs_find(const char *);
extern int sqlite3_vfs_register(sqlite3_vfs *, int);
extern int sqlite3_vfs_unregister(sqlite3_vfs *);

#define CRASH_OPEN_CREATE 0x00000004
#define CRASH_OPEN_NEW_JOURNAL 0x00084800 /* main journal, super-journal or write-ahead log */

/* crash_vfs wraps base. Its watcher is a Go handle, 0 once nobody watches. */
typedef struct crash_vfs {
	sqlite3_vfs vfs;
	sqlite3_vfs *base;
	uintptr_t watcher;
} crash_vfs;

/* crash_call is one call on its way from SQLite to base. Go fills in the second half. */
typedef struct crash_call {
	int op;           /* one of the Op constants in Go */
	int file;         /* from crashvfsOpened; 0 when it has none */
	const char *name; /* of the file, when it has no number */
	const void *data;
	int bytes;
	int flag; /* the call makes the directory durable */
	sqlite3_int64 offset;

	int code;     /* an error of SQLite to answer with, 0 to go on */
	int sys_errno;
	int part;     /* of the bytes, written before the answer is an error */
	int skip;     /* answer that it is done without doing it */
	int ticket;   /* names the call in crashvfsDone */
} crash_call;

crash_vfs *crash_register(uintptr_t watcher);
void crash_unregister(crash_vfs *);

#endif
