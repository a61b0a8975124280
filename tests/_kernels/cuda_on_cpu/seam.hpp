// Included after a kernel's source: how Python calls it, or (PROGRAM) a program that reads launches
// from a file, for sanitizers that must be there from the start. KERNELS is KERNEL(name) for each.
#ifndef PROGRAM
#define KERNEL(name)                                                                        \
    extern "C" void launch_##name(                                                          \
        void** args, unsigned first, unsigned grid, unsigned block, size_t bytes)           \
    {                                                                                       \
        first_block = first;                                                                \
        launch(name, args, grid, block, bytes);                                             \
    }
KERNELS
#else
int main(int, char** argv)
{
    // arguments: the file, a barrier to skip, the kernel
    // a launch: grid, block, bytes, number of arguments;
    // an argument: bytes, how its pointer differs from a multiple of 16, -1 for null, contents
    skipped = std::atoi(argv[2]);
    FILE* file = std::fopen(argv[1], "rb");
    int64_t head[4];
    int done = 0;
    while (std::fread(head, sizeof head, 1, file)) {
        std::vector<char*> blocks;
        std::vector<void*> args;
        std::vector<void*> pointers(head[3]);
        constexpr std::align_val_t alignment{16};
        for (int64_t i = 0; i < head[3]; i++) {
            int64_t kind[3];  // by value or not, bytes, offset
            if (!std::fread(kind, sizeof kind, 1, file))
                return 2;
            if (kind[2] < 0) {
                args.push_back(&pointers[i]);
                continue;
            }
            char* memory = static_cast<char*>(operator new(kind[1] + kind[2], alignment));
            blocks.push_back(memory);
            if (kind[1] && !std::fread(memory + kind[2], kind[1], 1, file))
                return 2;
            pointers[i] = memory + kind[2];
            args.push_back(kind[0] ? pointers[i] : &pointers[i]);
        }
        bool found = false;
#define KERNEL(name)                                          \
    if (!std::strcmp(argv[3], #name)) {                       \
        found = true;                                         \
        launch(name, args.data(), head[0], head[1], head[2]); \
    }
        KERNELS
        if (!found) {
            std::printf("no kernel is named %s\n", argv[3]);
            std::fflush(stdout), std::_Exit(3);
        }
        done++;
        for (char* memory : blocks)
            operator delete(memory, alignment);
    }
    std::printf("%d launches done\n", done);
}
#endif
