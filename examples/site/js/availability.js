/* Fills the page availability.html. */
(function () {
  "use strict";

  var berths = [
    ["Pontoon berth, up to 6 m", "7", "No waiting"],
    ["Pontoon berth, over 6 m, up to 8 m", "3", "No waiting"],
    ["Pontoon berth, over 8 m, up to 10 m", "0", "21 boats on the list"],
    ["Pontoon berth, over 10 m, up to 12 m", "2", "No waiting"],
    ["Pontoon berth, over 12 m, up to 15 m", "1", "No waiting"],
    ["Pontoon berth, over 15 m, up to 18 m", "0", "3 boats on the list"],
    ["Swinging mooring", "5", "No waiting"],
    ["Drying mooring", "4", "No waiting"]
  ];

  var storage = [
    ["Open hardstanding", "41 of 95"],
    ["East Shed", "6 of 28"],
    ["Mast rack", "30 of 64"]
  ];

  function table(caption, head, rows) {
    function row(cells, tag) {
      return "<tr>" + cells.map(function (c) { return "<" + tag + ">" + c + "</" + tag + ">"; }).join("") + "</tr>";
    }
    return "<table><caption>" + caption + "</caption><thead>" + row(head, "th") + "</thead><tbody>" +
      rows.map(function (r) { return row(r, "td"); }).join("") + "</tbody></table>";
  }

  var text =
    "<h1>Availability of berths and storage</h1>" +
    "<p>This page shows what was free at Tidewater Yard on Monday 1 June 2026. The office brings the list up to date every Monday by 11:00.</p>" +
    "<h2>Annual berths and moorings</h2>" +
    table("Free places for an annual contract", ["Place", "Free", "Waiting list"], berths) +
    "<p>A free berth can be held for you for five days after a telephone call to the office. The contract starts on the day on which it is signed, and the price for the first year is counted by the month.</p>" +
    "<h2>Winter storage 2026 to 2027</h2>" +
    table("Free places for the coming winter", ["Place", "Free"], storage) +
    "<h2>Visitor berths</h2>" +
    "<p>For the regatta weekend, all visitor berths that can be booked are taken. For every other weekend in August, at least four visitor berths can still be booked.</p>" +
    "<h3>How will I hear when a berth becomes free?</h3>" +
    "<p>Judith Pell rings the first person on the waiting list and then sends an email. An offered berth must be accepted within ten days, and a person who refuses two offers goes to the end of the list.</p>" +
    "<h3>Can I swap berths with another owner?</h3>" +
    "<p>Two owners with contracts for the same length of boat may swap berths once a year, free of charge, after asking the dockmaster.</p>" +
    "<h3>Is there dry storage for dinghies?</h3>" +
    "<p>The dinghy park has 52 spaces at £130 a year, and nine of them were free on 1 June 2026.</p>";

  function fill() { document.getElementById("main").innerHTML = text; }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", fill);
  } else {
    fill();
  }
}());
