from faults.page import PAGE, page


def test_the_page_of_faults_is_what_is_tried() -> None:
    assert PAGE.read_text() == page(), "make faults writes it anew"
