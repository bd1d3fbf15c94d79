"""Write down what comes of each fault: ``make faults``."""

from faults.page import PAGE, page

PAGE.write_text(page())
