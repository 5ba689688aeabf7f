/* main() of a fuzz target in a build without libFuzzer: runs every file of a corpus directory, and a fixed
 * number of mutations of each from a fixed seed, so that the ordinary test suite covers a little more than
 * the seeds.
 *
 *     fuzz_x CORPUS_DIRECTORY [MUTATIONS]
 *     fuzz_x FILE                            (to look at a crash again)
 */

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

#define INPUT_MAX 131072u

struct totals {
    unsigned files, runs;
};

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* A handful of the changes that fuzzers make: octets, bits, cuts, repeats. */
static size_t mutate(uint8_t *data, size_t size, uint64_t *seed)
{
    static const uint8_t telling[] = {0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};
    for (unsigned changes = 1 + next_random(seed) % 4; changes && size; changes--) {
        size_t at = next_random(seed) % size, length = next_random(seed) % (size - at) % 64;
        switch (next_random(seed) % 5) {
        case 0:
            data[at] = (uint8_t)next_random(seed);
            break;
        case 1:
            data[at] ^= (uint8_t)(1u << next_random(seed) % 8);
            break;
        case 2:
            data[at] = telling[next_random(seed) % sizeof(telling)];
            break;
        case 3:
            memmove(data + at, data + at + length, size - at - length);
            size -= length;
            break;
        default:
            length = MIN(length, INPUT_MAX - size);
            memmove(data + at + length, data + at, size - at);
            size += length;
            break;
        }
    }
    return size;
}

/* From memory of exactly that size, so that a sanitizer sees a read beyond it. */
static void run_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    CHECK(copy);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_file(const char *path, unsigned mutations, struct totals *totals)
{
    static uint8_t original[INPUT_MAX], changed[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    size_t size = fread(original, 1, sizeof(original), file);
    fclose(file);
    run_exact(original, size);
    uint64_t seed = totals->files;
    for (unsigned i = 0; i < mutations; i++) {
        memcpy(changed, original, size);
        run_exact(changed, mutate(changed, size, &seed));
    }
    totals->files++;
    totals->runs += 1 + mutations;
}

static void run_directory(const char *path, unsigned mutations, struct totals *totals)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            run_file(file, mutations, totals);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    struct totals totals = {0};
    struct stat st;
    if (argc < 2 || stat(argv[1], &st) != 0) {
        fprintf(stderr, "usage: %s CORPUS_DIRECTORY|FILE [MUTATIONS]\n", argv[0]);
        return 2;
    }
    unsigned mutations = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (S_ISDIR(st.st_mode))
        run_directory(argv[1], mutations, &totals);
    else
        run_file(argv[1], mutations, &totals);
    printf("%u inputs, %u runs\n", totals.files, totals.runs);
    return totals.files ? 0 : 1;
}
