/* Answers each call with its tag and its own name, or does first what the call's "fault" says. No library but libc. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char line[65536], id[64], tag[128], fault[32];
static const char *name;
static int executed;

static void take(const char *key, const char *format, char *into) {
  char *at = strstr(line, key);
  into[0] = 0;
  if (at) sscanf(at + strlen(key), format, into);
}

static void put(int fd, const char *bytes, size_t left) {
  while (left > 0) {
    ssize_t written = write(fd, bytes, left);
    if (written < 0) _exit(0);
    bytes += written;
    left -= (size_t)written;
  }
}

static void answer(const char *to) {
  char text[512];
  int size = snprintf(text, sizeof text,
      "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"output\":{\"plugin\":\"%s\",\"tag\":\"%s\"}}}\n", to, name, tag);
  put(1, text, (size_t)size);
}

static void last_words(const char *words) { put(2, words, strlen(words)); }

static void flood(int fd, const char *text) {
  for (int count = 0; count < 20000; count++) put(fd, text, strlen(text));
}

/* A process that has neither our group nor our session, ignores what can be ignored and keeps the pipes open. */
static void leave_a_grandchild(void) {
  if (fork() != 0) return;
  setsid();
  if (fork() != 0) _exit(0);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  for (;;) pause();
}

static int is(const char *wanted) { return strcmp(fault, wanted) == 0; }

static void misbehave(void) {
  if (is("exit")) { last_words("asked to exit\n"); _exit(3); }
  if (is("segv")) { last_words("about to fault\n"); *(volatile int *)0 = 1; }
  if (is("abort")) { last_words("about to abort\n"); abort(); }
  if (is("kill")) { last_words("about to be killed\n"); raise(SIGKILL); }
  if (is("hang")) for (;;) pause();
  if (is("stop")) raise(SIGSTOP);
  if (is("half")) { put(1, "{\"jsonrpc\":\"2.0\",\"id\":", 22); _exit(3); }
  if (is("close")) { close(1); for (;;) pause(); }
  if (is("orphan")) { leave_a_grandchild(); _exit(3); }
  if (is("flood-stdout")) flood(1, "no message at all, only some text that a library printed where it must not\n");
  if (is("flood-stderr")) flood(2, "a line of a log that is much too long and comes much too often to be of any use\n");
  if (is("flood-log"))
    flood(1, "{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":{\"level\":\"info\",\"message\":\"again\"}}\n");
  if (is("lie")) { answer("987654321"); answer("\"nobody\""); answer(id); }
}

int main(void) {
  name = getenv("MMM_PLUGIN");
  char path[512];
  snprintf(path, sizeof path, "%s/executed", getenv("HOME"));
  executed = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  while (fgets(line, sizeof line, stdin)) {
    if (strstr(line, "\"method\":\"$/") || !strstr(line, "\"id\":")) continue;
    take("\"id\":", "%63[^,}]", id);
    char text[256];
    if (strstr(line, "\"method\":\"execute\"")) {
      take("\"tag\":\"", "%127[^\"]", tag);
      take("\"fault\":\"", "%31[^\"]", fault);
      put(executed, text, (size_t)snprintf(text, sizeof text, "%s\n", tag));
      misbehave();
      answer(id);
    } else {
      const char *hello = "{\"protocol\":{\"version\":1,\"features\":[\"ping\"]}}";
      const char *result = strstr(line, "\"method\":\"initialize\"") ? hello : "{}";
      put(1, text, (size_t)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n", id, result));
    }
  }
  return 0;
}
