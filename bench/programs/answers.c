/* The smallest plugin there is: answers every call with "well" and everything else with {}. */
#include <stdio.h>
#include <string.h>

int main(void) {
  static char line[1 << 16], id[64];
  while (fgets(line, sizeof line, stdin)) {
    char *at = strstr(line, "\"id\":");
    if (!at || sscanf(at, "\"id\":%63[^,}]", id) != 1 || !strstr(line, "\"method\":")) continue;
    const char *result = strstr(line, "\"method\":\"execute\"") ? "{\"output\":\"well\"}" : "{}";
    printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n", id, result);
    fflush(stdout);
  }
  return 0;
}
