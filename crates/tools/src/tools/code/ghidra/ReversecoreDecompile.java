// Decompiles the function at one address and prints it as one line of JSON behind a
// mark. Runs in Ghidra's analyzeHeadless, twice for one program:
//
//   -preScript  ReversecoreDecompile.java rebase
//   -postScript ReversecoreDecompile.java MARK ADDRESS SECONDS
//
// The first moves the program to where its file says that it lies (Ghidra puts what lies
// at 0 elsewhere), so that addresses mean the same to whoever asked. MARK is a word that
// nothing else that is printed can have.

import ghidra.app.decompiler.DecompInterface;
import ghidra.app.decompiler.DecompileResults;
import ghidra.app.util.headless.HeadlessScript;
import ghidra.program.model.address.Address;
import ghidra.program.model.listing.Function;
import ghidra.program.model.listing.Program;

public class ReversecoreDecompile extends HeadlessScript {
    private static final String ORIGINAL_BASE = "ELF Original Image Base";

    @Override
    protected void run() throws Exception {
        String[] arguments = getScriptArgs();
        if (arguments.length == 1) {
            rebase();
        } else {
            Address address = toAddr(Long.parseUnsignedLong(arguments[1], 16));
            System.out.println(arguments[0] + answer(address, Integer.parseInt(arguments[2])));
        }
    }

    private void rebase() throws Exception {
        String base = currentProgram.getOptions(Program.PROGRAM_INFO).getString(ORIGINAL_BASE, null);
        if (base != null) {
            String digits = base.toLowerCase().replaceFirst("^0x", "");
            currentProgram.setImageBase(toAddr(Long.parseUnsignedLong(digits, 16)), true);
        }
    }

    private String answer(Address address, int seconds) throws Exception {
        Function function = getFunctionContaining(address);
        if (function == null) {
            // Code that the analysis did not take for a function.
            disassemble(address);
            function = createFunction(address, null);
        }
        if (function == null) {
            return "{\"error\":\"there is no function at this address, and no code to make one of\"}";
        }
        DecompInterface decompiler = new DecompInterface();
        try {
            decompiler.openProgram(currentProgram);
            DecompileResults results = decompiler.decompileFunction(function, seconds, monitor);
            if (results.getDecompiledFunction() == null) {
                return "{\"error\":" + quoted(String.valueOf(results.getErrorMessage())) + "}";
            }
            return "{\"code\":" + quoted(results.getDecompiledFunction().getC())
                + ",\"partial\":" + analysisTimeoutOccurred() + "}";
        } finally {
            decompiler.dispose();
        }
    }

    // As JSON in ASCII, whatever the machine's character set is.
    private static String quoted(String text) {
        StringBuilder out = new StringBuilder(text.length() + 64).append('"');
        for (int at = 0; at < text.length(); at++) {
            char letter = text.charAt(at);
            if (letter >= ' ' && letter < 0x7f && letter != '"' && letter != '\\') {
                out.append(letter);
            } else {
                out.append(String.format("\\u%04x", (int) letter));
            }
        }
        return out.append('"').toString();
    }
}
