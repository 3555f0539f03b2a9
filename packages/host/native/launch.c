/*
 * Starts one plugin: takes away what it must not have, then becomes it. One program instead of prlimit, setpriv,
 * unshare, mount and a shell in a row, and the only one that knows Landlock. Its arguments are all it reads.
 * Whatever fails ends it with 125 before the plugin runs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILED 125
#define RULES_MAX 512
#define FILTER_MAX 4096 /* instructions: what the kernel takes */

/* The kernel's numbers, the same everywhere, for headers that are older than the kernel. */
enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD = 445, LANDLOCK_RESTRICT = 446, OPENAT2 = 437, CLOSE_RANGE = 436 };
enum {
  MAY_EXECUTE = 1 << 0, MAY_WRITE_FILE = 1 << 1, MAY_READ_FILE = 1 << 2, MAY_READ_DIR = 1 << 3,
  MAY_MAKE_CHAR = 1 << 6, MAY_MAKE_BLOCK = 1 << 11, MAY_TRUNCATE = 1 << 14, MAY_IOCTL = 1 << 15
};
struct ruleset { uint64_t fs, net, scoped; };
struct beneath { uint64_t allowed; int32_t parent; } __attribute__((packed));
struct how { uint64_t flags, mode, resolve; };
struct instruction { uint16_t code; uint8_t on_true, on_false; uint32_t value; };
struct program { unsigned short length; struct instruction *filter; };

struct rule { const char *path; int fd; char kind; };
static struct {
  int status, filter, tie, supervise, init, landlock, sweep;
  int user_ns, pid_ns, net_ns;
  long uid;
  gid_t groups[32];
  size_t group_count;
  const char *directory, *stage[4];
  struct rule rules[RULES_MAX];
  int rule_count;
  struct { int resource; rlim_t value; } limits[8];
  int limit_count;
  char **argv;
} want = { .status = -1, .filter = -1, .uid = -1 };

/* Closed when the plugin runs; a byte in it says that it never did. */
static int broken[2] = { -1, -1 };

static void refuse(const char *what, const char *on) {
  dprintf(2, "mmm: %s%s%s\n", what, on ? " " : "", on ? on : "");
  if (broken[1] >= 0 && write(broken[1], "!", 1) < 0) _exit(FAILED);
  _exit(FAILED);
}
static void fail(const char *what, const char *on) {
  char text[512];
  snprintf(text, sizeof text, "%s%s%s:", what, on ? " " : "", on ? on : "");
  refuse(text, strerror(errno));
}
static void must(int result, const char *what, const char *on) { if (result < 0) fail(what, on); }

static void write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  must(fd, "cannot open", path);
  if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) fail("cannot write", path);
  close(fd);
}

/* ---- arguments ---- */

static long number(const char *text) {
  char *end;
  errno = 0;
  long value = text ? strtol(text, &end, 10) : -1;
  if (!text || errno || *end || end == text || value < 0) refuse("not a number:", text ? text : "(missing)");
  return value;
}

static void add_limit(const char *text) {
  static const struct { const char *name; int resource; } known[] = {
    { "data=", RLIMIT_DATA }, { "nproc=", RLIMIT_NPROC }, { "nofile=", RLIMIT_NOFILE },
    { "fsize=", RLIMIT_FSIZE }, { "core=", RLIMIT_CORE },
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    size_t length = strlen(known[i].name);
    if (strncmp(text, known[i].name, length) || want.limit_count == 8) continue;
    want.limits[want.limit_count].resource = known[i].resource;
    want.limits[want.limit_count++].value = (rlim_t)number(text + length);
    return;
  }
  refuse("unknown limit", text);
}

/* What a path is allowed: r read, x read and execute, w everything but execute, W everything, d a device, p below
 * /proc if it is there. The path is a name, or the number of a descriptor that holds it. */
static void add_rule(const char *kind, const char *path, int is_open) {
  if (!kind || !kind[0] || kind[1] || !strchr("rxwWdp", kind[0]) || !path) refuse("bad rule", path);
  if (want.rule_count == RULES_MAX) refuse("too many rules", NULL);
  want.rules[want.rule_count++] = (struct rule){ path, is_open ? (int)number(path) : -1, kind[0] };
}

static void read_arguments(int argc, char **argv) {
  int at = 1;
  static const struct { const char *name; int *flag; } flags[] = {
    { "--tie", &want.tie }, { "--supervise", &want.supervise }, { "--init", &want.init },
    { "--landlock", &want.landlock }, { "--sweep", &want.sweep }, { "--user-namespace", &want.user_ns },
    { "--pid-namespace", &want.pid_ns }, { "--net-namespace", &want.net_ns },
  };
  for (; at < argc && strcmp(argv[at], "--"); at++) {
    const char *word = argv[at], *next = at + 1 < argc ? argv[at + 1] : NULL;
    size_t i = 0;
    while (i < sizeof flags / sizeof *flags && strcmp(word, flags[i].name)) i++;
    if (i < sizeof flags / sizeof *flags) { *flags[i].flag = 1; continue; }
    if (!next) refuse("missing value after", word);
    if (!strcmp(word, "--status")) want.status = (int)number(next);
    else if (!strcmp(word, "--seccomp")) want.filter = (int)number(next);
    else if (!strcmp(word, "--uid")) want.uid = number(next);
    else if (!strcmp(word, "--group") && want.group_count < 32)
      want.groups[want.group_count++] = (gid_t)number(next);
    else if (!strcmp(word, "--limit")) add_limit(next);
    else if (!strcmp(word, "--chdir")) want.directory = next;
    else if (!strcmp(word, "--stage") && at + 4 < argc) {
      for (i = 0; i < 4; i++) want.stage[i] = argv[at + 1 + i];
      at += 3;
    } else if ((!strcmp(word, "--allow") || !strcmp(word, "--allow-open")) && at + 2 < argc) {
      add_rule(next, argv[at + 2], word[7] != 0);
      at++;
    } else refuse("unknown option", word);
    at++;
  }
  if (at + 1 >= argc) refuse("no program was named", NULL);
  if (want.uid == 0) refuse("a plugin never runs as root", NULL);
  want.argv = argv + at + 1;
}

/* ---- namespaces and mounts ---- */

static void enter_namespaces(void) {
  unsigned uid = geteuid(), gid = getegid();
  int flags = (want.user_ns ? CLONE_NEWUSER : 0) | (want.pid_ns ? CLONE_NEWPID | CLONE_NEWNS : 0) |
              (want.net_ns ? CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS : 0) | (want.stage[0] ? CLONE_NEWNS : 0);
  if (!flags) return;
  must(unshare(flags), "cannot make namespaces", NULL);
  if (want.user_ns) {
    char map[64];
    write_text("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1\n", uid, uid);
    write_text("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "%u %u 1\n", gid, gid);
    write_text("/proc/self/gid_map", map);
  }
  if (flags & CLONE_NEWNS)
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "cannot keep mounts apart", NULL);
}

static void bind_at(const char *source, const char *target, int read_only) {
  must(mount(source, target, NULL, MS_BIND, NULL), "cannot mount", source);
  unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV;
  if (read_only) must(mount(NULL, target, NULL, flags, NULL), "cannot make read-only", target);
}

/* Folder, bundle, data and node: homes are closed to other users, and this leaves them so. */
static void make_stage(void) {
  const char *names[] = { "plugin", "data", "node" };
  char path[3][256];
  const char *folder = want.stage[0];
  must(mount("mmm", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m"), "cannot mount on", folder);
  for (int i = 0; i < 3; i++) {
    snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    int made = i == 2 ? open(path[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0644) : mkdir(path[i], 0755);
    must(made, "cannot make", path[i]);
    if (i == 2) close(made);
    bind_at(want.stage[i + 1], path[i], i == 0);
  }
}

/* ---- what the plugin's own process does to itself ---- */

static uint64_t rights(char kind, uint64_t handled, int is_folder) {
  uint64_t file = MAY_EXECUTE | MAY_WRITE_FILE | MAY_READ_FILE | MAY_TRUNCATE;
  uint64_t allowed = MAY_READ_FILE | MAY_READ_DIR;
  if (kind == 'x') allowed |= MAY_EXECUTE;
  if (kind == 'd') allowed = MAY_READ_FILE | MAY_WRITE_FILE;
  if (kind == 'w' || kind == 'W') allowed = handled & ~(uint64_t)(MAY_MAKE_CHAR | MAY_MAKE_BLOCK | MAY_IOCTL);
  if (kind == 'w') allowed &= ~(uint64_t)MAY_EXECUTE;
  return allowed & handled & (is_folder ? ~(uint64_t)0 : file);
}

static int open_rule(const struct rule *rule) {
  if (rule->fd >= 0) return rule->fd;
  /* What was resolved before must be what is there now: no link is followed, but below /proc. */
  struct how how = { O_PATH | O_CLOEXEC, 0, rule->kind == 'p' ? 0 : 4 /* RESOLVE_NO_SYMLINKS */ };
  int fd = (int)syscall(OPENAT2, AT_FDCWD, rule->path, &how, sizeof how);
  if (fd < 0 && !(rule->kind == 'p' && (errno == ENOENT || errno == EACCES))) fail("cannot open", rule->path);
  return fd;
}

static int make_ruleset(void) {
  long abi = syscall(LANDLOCK_CREATE, NULL, 0, 1 /* the version is asked for */);
  if (abi < 1) fail("no Landlock here", NULL);
  uint64_t fs = abi < 2 ? 0x1fff : abi < 3 ? 0x3fff : abi < 5 ? 0x7fff : 0xffff;
  struct ruleset attributes = { fs, abi < 4 ? 0 : 3, abi < 6 ? 0 : 3 };
  size_t size = abi < 4 ? 8 : abi < 6 ? 16 : 24;
  int ruleset = (int)syscall(LANDLOCK_CREATE, &attributes, size, 0);
  must(ruleset, "cannot make a Landlock ruleset", NULL);
  for (int i = 0; i < want.rule_count; i++) {
    struct stat status;
    int fd = open_rule(&want.rules[i]);
    if (fd < 0) continue;
    must(fstat(fd, &status), "cannot look at", want.rules[i].path);
    struct beneath rule = { rights(want.rules[i].kind, fs, S_ISDIR(status.st_mode)), fd };
    must((int)syscall(LANDLOCK_ADD, ruleset, 1, &rule, 0), "cannot allow", want.rules[i].path);
    close(fd);
  }
  return ruleset;
}

static struct program read_filter(void) {
  static struct instruction filter[FILTER_MAX];
  size_t length = 0;
  ssize_t got;
  while ((got = read(want.filter, (char *)filter + length, sizeof filter - length)) > 0) length += (size_t)got;
  if (got < 0) fail("cannot read the filter", NULL);
  if (length == 0 || length % sizeof *filter || length == sizeof filter) refuse("the filter is not whole", NULL);
  return (struct program){ (unsigned short)(length / sizeof *filter), filter };
}

static void leave_root(void) {
  gid_t id = (gid_t)want.uid;
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1)
      must(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "cannot drop a capability", NULL);
  must(setgroups(want.group_count, want.groups), "cannot leave the groups", NULL);
  must(setresgid(id, id, id), "cannot leave the group", NULL);
  must(setresuid(id, id, id), "cannot leave root", NULL);
  if (setuid(0) == 0 || geteuid() == 0) refuse("root was not left", NULL);
}

static void drop_capabilities(void) {
  struct { uint32_t version; int pid; } header = { 0x20080522, 0 };
  struct { uint32_t effective, permitted, inheritable; } none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (want.user_ns)
    for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++) continue;
  must((int)syscall(SYS_capset, &header, none), "cannot drop the capabilities", NULL);
}

static void sweep(void) {
  if (syscall(CLOSE_RANGE, 3, ~0U, 4 /* close on exec */) == 0) return;
  long most = sysconf(_SC_OPEN_MAX);
  for (int fd = 3; fd < most; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void become(void) {
  struct program filter = { 0, NULL };
  int ruleset = want.landlock ? make_ruleset() : -1;
  if (want.filter >= 0) filter = read_filter();
  for (int i = 0; i < want.limit_count; i++) {
    struct rlimit limit = { want.limits[i].value, want.limits[i].value };
    must(setrlimit(want.limits[i].resource, &limit), "cannot set a limit", NULL);
  }
  if (want.uid > 0) leave_root();
  if (want.uid > 0 || want.user_ns || want.landlock) drop_capabilities();
  /* A change of uid clears it. */
  if (want.tie) must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "cannot be tied to", "the host");
  if (want.uid > 0 || ruleset >= 0 || want.filter >= 0)
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "cannot give up privileges", NULL);
  if (want.directory) must(chdir(want.directory), "cannot enter", want.directory);
  if (ruleset >= 0) must((int)syscall(LANDLOCK_RESTRICT, ruleset, 0), "cannot restrict files", NULL);
  if (want.sweep) sweep();
  if (want.filter >= 0) must(prctl(PR_SET_SECCOMP, 2, &filter, 0, 0), "cannot filter system calls", NULL);
  execv(want.argv[0], want.argv);
  fail("cannot start", want.argv[0]);
}

/* ---- the process that stays ---- */

static int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

/* It keeps nothing of the plugin's open, so that the end of the plugin's output can be seen. */
static void let_go(void) {
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; fd++) if (nothing < 0 || dup2(nothing, fd) < 0) close(fd);
}

/* Process 1 of the namespace: all of it ends with this process. */
static void be_init(void) {
  int status;
  must(setsid(), "cannot lead a session", NULL);
  pid_t plugin = fork();
  must(plugin, "cannot make a process", NULL);
  if (plugin == 0) become();
  let_go();
  for (pid_t ended = 0; (ended = waitpid(-1, &status, 0)) != plugin;)
    if (ended < 0 && errno != EINTR) _exit(FAILED);
  _exit(code_of(status));
}

/* Whoever left the plugin's session became our child when its parent ended: nobody gets away by forking. */
static void kill_children(void) {
  char path[64], list[4096];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
  for (;;) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, list, sizeof list - 1);
    if (fd >= 0) close(fd);
    list[length > 0 ? length : 0] = 0;
    /* The last number may have been cut. */
    if (length == sizeof list - 1) *strrchr(list, ' ') = 0;
    for (char *at = list, *end; *at; at = end) {
      long pid = strtol(at, &end, 10);
      if (end == at) break;
      if (pid > 1) kill((pid_t)pid, SIGKILL);
    }
    if (waitpid(-1, NULL, length > 0 ? 0 : WNOHANG) < 0 && errno == ECHILD) return;
    if (length <= 0) usleep(1000);
  }
}

static void report(const char *key, int value) {
  if (want.status >= 0) dprintf(want.status, "{\"%s\": %d}\n", key, value);
}

/* Waits for the plugin, and ends it with all it started when it is told to or the host is gone. */
static void supervise(pid_t child, const sigset_t *signals) {
  int status = 0, got, told = 0;
  report(want.init ? "child-pid" : "plugin-pid", (int)child);
  let_go();
  for (;;) {
    pid_t ended;
    while ((ended = waitpid(-1, &status, WNOHANG)) > 0 && ended != child) continue;
    if (ended == child || (ended < 0 && errno == ECHILD)) break;
    if (sigwait(signals, &got) == 0 && got == SIGTERM && !told++) kill(child, SIGKILL);
  }
  kill_children();
  char byte;
  close(broken[1]);
  if (read(broken[0], &byte, 1) == 0) report("exit-code", code_of(status));
  _exit(code_of(status));
}

/* As the plugin ended, so ends this process. */
static void follow(pid_t child, const sigset_t *signals) {
  int status;
  while (waitpid(child, &status, 0) < 0) if (errno != EINTR) _exit(FAILED);
  if (WIFSIGNALED(status)) {
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    sigprocmask(SIG_UNBLOCK, signals, NULL);
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
  }
  _exit(code_of(status));
}

int main(int argc, char **argv) {
  sigset_t signals, before;
  if (argc == 2 && !strcmp(argv[1], "--landlock-version")) {
    long abi = syscall(LANDLOCK_CREATE, NULL, 0, 1);
    return abi < 1 || dprintf(1, "%ld\n", abi) < 0 ? FAILED : 0;
  }
  read_arguments(argc, argv);
  enter_namespaces();
  /* After the namespaces: with a new user namespace it would be cleared. */
  if (want.tie)
    must(prctl(PR_SET_PDEATHSIG, want.supervise ? SIGTERM : SIGKILL, 0, 0, 0), "cannot be tied to", "the host");
  if (!want.pid_ns && !want.supervise) {
    if (want.stage[0]) make_stage();
    become();
  }
  if (want.supervise) must(pipe2(broken, O_CLOEXEC), "cannot make a pipe", NULL);
  if (want.supervise && !want.pid_ns)
    must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "cannot keep children", NULL);
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  must(sigprocmask(SIG_BLOCK, &signals, &before), "cannot block signals", NULL);
  pid_t child = fork();
  must(child, "cannot make a process", NULL);
  if (child > 0) {
    if (want.supervise) supervise(child, &signals);
    else follow(child, &signals);
  }
  must(sigprocmask(SIG_SETMASK, &before, NULL), "cannot allow signals", NULL);
  must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "cannot be tied to its parent", NULL);
  if (want.pid_ns)
    must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "cannot mount", "/proc");
  if (want.stage[0]) make_stage();
  if (want.supervise && want.init) be_init();
  if (want.supervise) must(setsid(), "cannot lead a session", NULL);
  become();
}
