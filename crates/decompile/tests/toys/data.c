/* Data that the functions share, in both programs. */
int counter = 5;
const int weights[8] = {3, -1, 4, 1, -5, 9, 2, 6};
int calls_0;
