/* Gives each file that it is called with to libFuzzer's target, so that every compiler with
 * sanitizers can go through a kept corpus. Fails without a file, and for one that cannot be read. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) return 1;
  long size = ftell(file);
  /* As large as the input, so that the address sanitizer sees what is read beyond it. */
  uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
  if (size < 0 || data == NULL || fseek(file, 0, SEEK_SET) != 0) return 1;
  if (fread(data, 1, (size_t)size, file) != (size_t)size) return 1;
  fclose(file);
  LLVMFuzzerTestOneInput(data, (size_t)size);
  free(data);
  return 0;
}

int main(int count, char **paths) {
  int failed = count < 2;
  for (int i = 1; i < count; i++) {
    if (replay(paths[i]) != 0) {
      fprintf(stderr, "%s cannot be read\n", paths[i]);
      failed = 1;
    }
  }
  return failed;
}
