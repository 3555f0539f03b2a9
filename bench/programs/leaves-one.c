/* Answers as a plugin does, and has left a process behind that no group, session or parent leads to. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  static char line[1 << 16], id[64];
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
    for (;;) pause();
  }
  while (fgets(line, sizeof line, stdin)) {
    char *at = strstr(line, "\"id\":");
    if (!at || sscanf(at, "\"id\":%63[^,}]", id) != 1 || !strstr(line, "\"method\":")) continue;
    printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n", id, strstr(line, "execute") ? "{\"output\":\"well\"}" : "{}");
    fflush(stdout);
  }
  return 0;
}
